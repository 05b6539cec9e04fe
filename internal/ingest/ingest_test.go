package ingest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// What is published becomes a message of its channel, whatever partition and key it came
// with, in the order of its partition, and as a backend's.
func TestPublish(t *testing.T) {
	s := newSystem(t)
	s.start()
	var last int64
	for n := range 20 {
		last = s.command(1, `{"method":"publish","params":{"channel":"a/b","user":"ada","body":"%d","type":"note","data":{"n":%d},"info":{"x":1}}}`, n, n)
	}
	s.done(1, last)
	all := s.events("a/b")
	if len(all) != 20 {
		t.Fatalf("%d messages, want 20\n%s", len(all), s.output)
	}
	for n, e := range all {
		c := e.GetChat()
		if c.Body != fmt.Sprint(n) || c.User != "ada" || c.Origin != schema.Origin_ORIGIN_BACKEND || c.Key != DefaultKey || c.Type != "note" || string(c.Info) != `{"x":1}` || len(c.Id) != 26 {
			t.Errorf("message %d is %v", n, c)
		}
	}
	if found := s.rejections(); len(found) != 0 {
		t.Errorf("%d rejections", len(found))
	}
}

// A broadcast is a message in each of its channels, with one id.
func TestBroadcast(t *testing.T) {
	s := newSystem(t)
	s.start()
	s.done(0, s.command(0, `{"method":"broadcast","params":{"channels":["a","b","c","d"],"user":"shop","body":"x","id":"monday"}}`))
	for _, channel := range []string{"a", "b", "c", "d"} {
		if all := s.events(channel); len(all) != 1 || all[0].GetChat().Id != "monday" {
			t.Errorf("%s has %v", channel, all)
		}
	}
}

// A process that is killed between the append of a command and the commit of its offset
// leaves it to the next one, which finds it, however many events came in between.
func TestOnceAfterACrash(t *testing.T) {
	s := newSystem(t)
	stop := s.start()
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	stop()
	first := s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"own id","id":"i"}}`)
	s.command(0, `{"method":"broadcast","params":{"channels":["a","b","c"],"user":"ada","body":"to some","id":"j"}}`)
	s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"made id"}}`)
	last := s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"not appended"}}`)
	// What the one that was killed had appended: all but the last, and half of a broadcast.
	s.died(0, first, 3, 1)
	s.flood(200_000)
	s.start()
	s.done(0, last)
	var bodies []string
	for _, e := range s.events("a") {
		if e.GetChat().GetUser() == "ada" {
			bodies = append(bodies, e.GetChat().Body)
		}
	}
	if got := strings.Join(bodies, ", "); got != "before, own id, to some, made id, not appended" {
		t.Errorf("a has: %s\n%s", got, s.output)
	}
	for _, channel := range []string{"b", "c"} {
		n := 0
		for _, e := range s.events(channel) {
			if e.GetChat().GetUser() == "ada" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s has %d messages, want 1", channel, n)
		}
	}
}

// died appends what so many commands from an offset on ask for, of a broadcast so many
// messages alone, as an owner does that commits nothing any more.
func (s *system) died(partition int, from int64, commands, some int) {
	s.t.Helper()
	s.diedAs(DefaultKey, partition, from, commands, some)
}

func (s *system) diedAs(key string, partition int, from int64, commands, some int) {
	s.t.Helper()
	info, err := s.kafka.TopicInfo(s.ctx, schema.TopicCommands)
	if err != nil {
		s.t.Fatal(err)
	}
	i, err := New(Config{ClickHouse: s.dsn})
	if err != nil {
		s.t.Fatal(err)
	}
	d := decoder{topic: info.ID, key: key, limits: &i.cfg.Limits}
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents, TransactionalID: transactionalID(DefaultGroup, partition)})
	defer p.Close()
	counter := uint64(0)
	err = s.kafka.ReadRange(s.ctx, schema.TopicCommands, partition, from, from+int64(commands), 0, func(r eventlog.Record) error {
		c, bad := d.decode(partition, &r)
		if bad != nil {
			return bad
		}
		for n := range c.acts {
			if n == some && len(c.acts) > 1 {
				break
			}
			counter++
			e := c.acts[n].Event
			e.Time, e.Connector, e.Counter = time.Now().UnixMilli(), "died as "+key, counter
			value, err := proto.Marshal(e)
			if err != nil {
				return err
			}
			if _, err := p.ProduceSync(s.ctx, schema.PartitionOf(c.acts[n].Channel, partitions), eventlog.Record{Value: value}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// flood appends events of others to every partition, so many altogether.
func (s *system) flood(n int) {
	s.t.Helper()
	p := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer p.Close()
	for k := range n {
		chat := &schema.Chat{Channel: "other", User: "eve", Id: fmt.Sprint(k), Body: "x", Session: "s"}
		e := &schema.Event{Time: 1, Connector: "other", Counter: uint64(k/partitions) + 1, Kind: &schema.Event_Chat{Chat: chat}}
		value, err := proto.Marshal(e)
		if err != nil {
			s.t.Fatal(err)
		}
		for p.Produce(k%partitions, eventlog.Record{Value: value}, nil) != nil {
			if s.ctx.Err() != nil {
				s.t.Fatal(s.ctx.Err())
			}
			time.Sleep(time.Millisecond)
		}
	}
	if err := p.Flush(s.ctx); err != nil {
		s.t.Fatal(err)
	}
}

// A thousand commands are carried out once each while processes that carry them out
// come, are stopped, and are cut off from one moment to the next.
func TestOnceThroughTakeovers(t *testing.T) {
	s := newSystem(t)
	const n = 3000
	stops := []func(){s.start(), s.start()}
	var last [partitions]int64
	for k := range n {
		last[k%partitions] = s.command(k%partitions, `{"method":"publish","params":{"channel":"c%d","user":"ada","body":"%d"}}`, k%7, k)
		if k%600 == 599 {
			stops[0]()
			stops = append(stops[1:], s.start())
		}
	}
	for p, offset := range last {
		s.done(p, offset)
	}
	seen := map[string]int{}
	for c := range 7 {
		order := -1
		for _, e := range s.events(fmt.Sprintf("c%d", c)) {
			seen[e.GetChat().Body]++
			_ = order
		}
	}
	if len(seen) != n {
		t.Errorf("%d of %d are stored", len(seen), n)
	}
	for body, times := range seen {
		if times != 1 {
			t.Errorf("%s is stored %d times", body, times)
		}
	}
}

// Partitions that commands are given while ingest runs are served as well.
func TestAddedPartitions(t *testing.T) {
	s := newSystem(t)
	s.start()
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	embeddedtest.AddPartitions(t, s.addr, schema.TopicCommands, partitions+1)
	s.command(partitions, `{"method":"publish","params":{"channel":"a","user":"ada","body":"in a new one"}}`)
	await.That(t, "the new partition is served", func() bool { return len(s.events("a")) == 2 })
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"after"}}`))
}

// An owner that another one has taken over from can neither append nor commit.
func TestZombieIsFenced(t *testing.T) {
	s := newSystem(t)
	id := transactionalID(DefaultGroup, 0)
	old := s.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents, TransactionalID: id})
	defer old.Close()
	if err := old.Init(s.ctx); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"x"}}`))
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	if _, err := old.ProduceSync(ctx, schema.PartitionOf("a", partitions), eventlog.Record{Value: []byte{1}}); err == nil {
		t.Error("the owner before still appends")
	}
}
