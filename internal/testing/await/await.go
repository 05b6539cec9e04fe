// Package await has tests wait for what comes in a moment on another goroutine.
package await

import (
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

// NoLeaks waits until no goroutine is left but that of the caller and those that the
// options name, and returns what is left where some never end. It is for TestMain:
// goleak alone gives what is ending less than half a second.
func NoLeaks(opts ...goleak.Option) (err error) {
	for deadline := time.Now().Add(Limit); ; {
		if err = goleak.Find(opts...); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}
