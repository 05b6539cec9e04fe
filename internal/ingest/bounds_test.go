package ingest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
)

// What is appended and not committed stays within its bounds, with the largest commands
// and with the widest: so much can be looked for after a crash, and it is found.
//
//parley:bound commands under way
func TestCommandsUnderWayAreBounded(t *testing.T) {
	s := newSystem(t)
	s.start()()
	var channels []string
	for n := range 1000 {
		channels = append(channels, fmt.Sprintf("%q", fmt.Sprint("c", n)))
	}
	wide := fmt.Sprintf(`{"method":"broadcast","params":{"channels":[%s],"user":"ada","body":"x"}}`, strings.Join(channels, ","))
	large := fmt.Sprintf(`{"method":"publish","params":{"channel":"a","user":"ada","body":"x"},"padding":"%s"}`, strings.Repeat("p", 700_000))
	for range 12 {
		s.command(0, "%s", wide)
		s.command(1, "%s", large)
	}
	i, err := New(Config{ClickHouse: s.dsn})
	if err != nil {
		t.Fatal(err)
	}
	for partition, want := range []int64{8, 5} { // of 1,000 events, and of 700 kB
		o := &owner{
			session: &session{i: i, kafka: s.kafka, log: s.log}, decoder: decoder{limits: &i.cfg.Limits},
			a: eventlog.Assignment{Partition: partition},
		}
		if err := o.readDoubt(s.ctx, 12); err != nil {
			t.Fatal(err)
		}
		if o.doubt != want || len(o.there) > maxOpenEvents {
			t.Errorf("of 12 commands in partition %d %d are in doubt, %d acts, want %d", partition, o.doubt, len(o.there), want)
		}
	}
	s.start()
	s.done(0, 11)
	s.done(1, 11)
	if n := len(s.events("a")); n != 12 {
		t.Errorf("%d large commands are carried out", n)
	}
	if n := len(s.events("c999")); n != 12 {
		t.Errorf("%d wide commands are carried out", n)
	}
}
