package ingest

import (
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// away is a database that never answers: what needs history holds its partition.
func away(i *Ingest) { i.cfg.ClickHouse = "clickhouse://127.0.0.1:1/default" }

// appended is how often the log has a body in a channel, void or not.
func (s *system) appended(channel, body string) (n int) {
	s.t.Helper()
	p := schema.PartitionOf(channel, partitions)
	_, end, err := s.kafka.Offsets(s.ctx, schema.TopicEvents, p)
	if err == nil {
		err = s.reread(p, end, func(e *schema.Event) {
			if c := e.GetChat(); e.Channel() == channel && c.GetBody() == body {
				n++
			}
		})
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// An owner that has to stop while commands are in doubt leaves them in doubt: the next
// one finds what the owner before both had appended.
func TestTakeoverThatIsCutShort(t *testing.T) {
	s := newSystem(t)
	s.project(0)
	stop := s.start()
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	stop()
	s.command(0, `{"method":"delete","params":{"channel":"a","user":"ada","seq":7}}`) // waits for history
	last := s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"once"}}`)
	s.died(0, last, 1, 1)
	for range 2 { // the second one begins with the note of the first
		stop = s.start(away)
		await.That(t, "the partition is held", func() bool { return strings.Contains(s.output.String(), "is held: history cannot be read") })
		stop()
		s.output.reset()
	}
	s.start()
	s.done(0, last)
	if n := s.appended("a", "once"); n != 1 {
		t.Errorf("it is appended %d times, want once\n%s", n, s.output)
	}
}

// What owners did under other keys is found as well: that of one whose key was another,
// and that of one after it, which had not come through what was in doubt.
func TestTakeoverWithAnotherKey(t *testing.T) {
	s := newSystem(t)
	s.project(0)
	as := func(key string) func(*Ingest) { return func(i *Ingest) { i.cfg.Key = key } }
	stop := s.start(as("one"))
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	stop()
	s.command(0, `{"method":"delete","params":{"channel":"a","user":"ada","seq":7}}`) // waits for history
	first := s.command(0, `{"method":"set","params":{"channel":"a","slow":1}}`)
	second := s.command(0, `{"method":"set","params":{"channel":"a","slow":2}}`)
	s.diedAs("one", 0, first, 1, 1)
	stop = s.start(away, as("two, and a half"))
	await.That(t, "the partition is held", func() bool { return s.contains("is held: history cannot be read") })
	stop()
	s.diedAs("two, and a half", 0, second, 1, 1)
	s.start(as("three"))
	s.done(0, second)
	times := map[int64]int{}
	for _, e := range s.events("a") {
		if set := e.GetSet(); set != nil {
			times[set.GetSlow()]++
		}
	}
	if times[1] != 1 || times[2] != 1 {
		t.Errorf("of two commands that were carried out once each, the log has %v\n%s", times, s.output)
	}
}

// An owner that has to stop in the middle of a broadcast does not say that the events
// end after what it has appended of it.
func TestBroadcastThatIsCutShort(t *testing.T) {
	s := newSystem(t)
	s.project(0)
	stop := s.start(away)
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	offset := s.command(0, `{"method":"broadcast","params":{"channels":["a",%q],"user":"ada","body":"once"}}`, oddName)
	await.That(t, "the first message is there", func() bool { return s.appended("a", "once") == 1 })
	await.That(t, "the partition is held", func() bool { return s.contains("is held: history cannot be read") })
	stop()
	s.start()
	s.done(0, offset)
	if n := s.appended("a", "once"); n != 1 {
		t.Errorf("it is appended %d times, want once\n%s", n, s.output)
	}
}

// oddName can pass for "b": no new channel may have it.
const oddName = "b\u200b"

func (s *system) reread(partition int, end int64, take func(*schema.Event)) error {
	return s.kafka.ReadRange(s.ctx, schema.TopicEvents, partition, 0, end, 0, func(r eventlog.Record) error {
		e, err := schema.DecodeEvent(r.Value)
		if err == nil {
			take(e)
		}
		return err
	})
}

func (o *output) reset() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.buf.Reset()
}
