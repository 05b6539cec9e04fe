// Package await has tests wait for what comes in a moment on another goroutine.
package await

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Limit is how long That waits. It is only reached where a test fails, so it is
// enough for the slowest machine.
const Limit = time.Minute

// interval is how long it pauses: what asks a server stays below its limits of rate.
const interval = 10 * time.Millisecond

// That waits until something holds, and fails the test, which is told what did not
// come to be, where it never does. holds is called again and again by the
// goroutine of the test.
func That(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(Limit); !holds(); time.Sleep(interval) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", Limit, what)
		}
	}
}

// Main runs the tests and what ends what they have shared, fails when a goroutine is left
// but those that the options name, and ends the process. Call it from TestMain.
func Main(m *testing.M, end func() error, opts ...goleak.Option) {
	code := m.Run()
	err := end()
	if err == nil && code == 0 {
		err = noLeaks(opts...)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// noLeaks waits until no goroutine is left, and returns what is left where some never
// end: goleak alone gives what is ending less than half a second.
func noLeaks(opts ...goleak.Option) (err error) {
	for deadline := time.Now().Add(Limit); ; {
		if err = goleak.Find(opts...); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
