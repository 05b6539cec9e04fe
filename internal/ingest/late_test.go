package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/latetest"
)

// A commit that failed for its owner, and reaches the broker after newer ones, does not
// take the group back behind more commands than are looked for after a crash.
func TestLateCommit(t *testing.T) {
	s := newSystem(t)
	s.project(0)
	wire := new(latetest.Wire)
	wired := func(i *Ingest) { i.cfg.Kafka.Dial = wire.Dial }
	stop := s.start(wired)
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	wire.Hold(0)
	s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"one"}}`)
	if err := wire.Await(s.ctx); err != nil {
		t.Fatal(err)
	}
	var channels []string
	for n := range 1000 {
		channels = append(channels, fmt.Sprintf("%q", fmt.Sprint("c", n)))
	}
	var last int64
	const wide = 2*maxOpenEvents/1000 + 1
	for n := range wide {
		last = s.command(0, `{"method":"broadcast","params":{"channels":[%s],"user":"ada","body":"%d"}}`, strings.Join(channels, ","), n)
	}
	s.done(0, last)
	if refused, err := wire.Deliver(s.ctx); err != nil || refused == nil {
		t.Errorf("the broker took the late commit (%v)", err)
	}
	if at := s.committed(0); at <= last {
		t.Errorf("the group is back at %d, and was above %d", at, last)
	}
	wire.Hold(0) // the owner dies without a commit of what is last
	stop()
	s.start()
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"after"}}`))
	for n := range wide {
		if times := s.appended("c0", fmt.Sprint(n)); times != 1 {
			t.Errorf("broadcast %d is appended %d times, want once", n, times)
		}
	}
	if times := s.appended("a", "one"); times != 1 {
		t.Errorf("the command of the late commit is appended %d times, want once", times)
	}
	if refused, err := wire.Deliver(s.ctx); err != nil || refused == nil {
		t.Errorf("the broker took the last commit of an owner that left (%v)", err)
	}
}
