package chatworker

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// channels has one channel of each partition.
var channels = func() []string {
	found := make([]string, partitions)
	for i := 0; slices.Contains(found, ""); i++ {
		name := fmt.Sprint("c", i)
		found[schema.PartitionOf(name, partitions)] = name
	}
	return found
}()

func TestEventsBecomePushes(t *testing.T) {
	r := newRig(t)
	w, _ := r.start()
	joined := r.join("a", "c", "s1", "ann")
	chat := r.chat("a", "c", "ann", "1")

	p := r.awaitChat("a", "1")
	pushes, repeats := r.taken("a")
	if len(pushes) != 2 || repeats != 0 || !pushes[0].Updates[1].GetJoined().GetSubscribed() {
		t.Errorf("pushes %v, %d repeats", pushes, repeats)
	}
	if p.Offset != chat || p.PrevOffset != joined || p.Format != schema.NewestFormat {
		t.Errorf("the chat's push is %v", p)
	}
	await.That(t, "the worker is ready", func() bool { return w.Health(r.ctx()).Ready() })
	await.That(t, "the counters are right", func() bool {
		s := w.Stats()
		return s.Partitions == partitions && s.Pushes == 2 && s.Corrupt == 0 && s.Events >= 2
	})
}

// After a stop in order the next worker knows everything and repeats nothing.
func TestTakeoverRestoresMembers(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	r.join("a", "c", "s1", "ann")
	r.join("b", "c", "s2", "bob")
	r.chat("a", "c", "ann", "1")
	r.awaitChat("b", "1")
	stop()

	r.start()
	last := r.chat("a", "c", "ann", "1") // void: the window was restored too
	r.chat("b", "c", "bob", "2")
	for _, connector := range []string{"a", "b"} {
		r.awaitChat(connector, "2")
		ids, repeats := r.chats(connector)
		if !slices.Equal(ids, []string{"1", "2"}) || repeats != 0 {
			t.Errorf("%s took chats %v, %d repeats", connector, ids, repeats)
		}
	}
	pushes, _ := r.taken("a")
	if v := pushes[len(pushes)-2]; v.Offset != last || v.Updates[0].GetVoidChat() == nil {
		t.Errorf("the repeated chat is pushed as %v", v)
	}
}

// Workers come and go while messages flow; nobody misses one.
func TestWorkersShareThePartitions(t *testing.T) {
	r := newRig(t)
	first, _ := r.start()
	for i, c := range channels {
		r.join("a", c, fmt.Sprint("s", i), "ann")
	}
	var want []string
	say := func(n int) {
		for range n {
			id := fmt.Sprint(len(want))
			r.chat("a", channels[len(want)%partitions], "ann", id)
			want = append(want, id)
		}
	}
	say(30)
	second, stop := r.start()
	await.That(t, "both serve partitions", func() bool {
		a, b := first.Stats().Partitions, second.Stats().Partitions
		return a > 0 && b > 0 && a+b == partitions && first.Health(r.ctx()).Ready() && second.Health(r.ctx()).Ready()
	})
	say(30)
	stop()
	say(30)
	await.That(t, "the first serves all", func() bool { return first.Stats().Partitions == partitions })
	await.That(t, "every chat was taken", func() bool {
		ids, _ := r.chats("a")
		return len(ids) == len(want)
	})
	if _, repeats := r.chats("a"); repeats != 0 {
		t.Errorf("%d repeats, although every worker left in order", repeats)
	}
}

// A worker that keeps its partitions over a rebalance continues where it was.
func TestRebalanceKeepsState(t *testing.T) {
	r := newRig(t)
	w, _ := r.start()
	r.join("a", channels[0], "s1", "ann")
	r.chat("a", channels[0], "ann", "1")
	r.awaitChat("a", "1")
	claims := func() (n int) {
		for p := range partitions {
			for _, rec := range r.read(schema.TopicState, p) {
				if string(rec.Key) == schema.StateKeyClaim {
					n++
				}
			}
		}
		return n
	}
	await.That(t, "all partitions are claimed", func() bool { return w.Stats().Partitions == partitions })
	before := claims()
	other, stop := r.start()
	var moved int64
	await.That(t, "they share the partitions", func() bool {
		moved = other.Stats().Partitions
		return moved > 0 && moved+w.Stats().Partitions == partitions
	})
	stop()
	await.That(t, "the first serves all", func() bool { return w.Stats().Partitions == partitions })
	if after := claims(); int64(after-before) != 2*moved {
		t.Errorf("%d claims when %d partitions went to another worker and back", after-before, moved)
	}
	if lines := len(r.logs("serving a partition")); int64(lines) != int64(partitions)+2*moved {
		t.Errorf("%d lines report a partition that is served, and %d partitions moved", lines, moved)
	}
	r.chat("a", channels[0], "ann", "2")
	r.awaitChat("a", "2")
}

func TestCorruptRecordIsSkipped(t *testing.T) {
	r := newRig(t)
	w, _ := r.start()
	r.join("a", "c", "s1", "ann")
	r.write(r.events, schema.PartitionOf("c", partitions), "", []byte("\xff no event"))
	r.chat("a", "c", "ann", "1")
	r.awaitChat("a", "1")
	if n := w.Stats().Corrupt; n != 1 {
		t.Errorf("%d corrupt records, want 1", n)
	}
}

func TestNewerKindStopsTheWorker(t *testing.T) {
	r := newRig(t)
	value := protowire.AppendTag(nil, 40, protowire.BytesType)
	r.write(r.events, 1, "", protowire.AppendBytes(value, nil))
	_, wait := r.run()
	err := wait(false)
	var newer *schema.NewerError
	if !errors.As(err, &newer) || newer.Number != 40 {
		t.Errorf("the worker ended with %v, want a NewerError", err)
	}
}

func TestForeignCheckpointIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*schema.StateMarker)
		want   string
	}{
		"of another epoch":        {func(m *schema.StateMarker) { m.Epoch = "another" }, "belongs to epoch another"},
		"of another topic":        {func(m *schema.StateMarker) { m.TopicId = make([]byte, 16) }, "topic 0000"},
		"of events that are lost": {func(m *schema.StateMarker) { m.Next = 7 }, "events were lost"},
		"of another tail":         {func(m *schema.StateMarker) { m.Digest = 7 }, "holds a different record than before"},
		"of this log":             {func(m *schema.StateMarker) {}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			m := &schema.StateMarker{Next: 1, Epoch: r.log.Epoch, TopicId: r.log.TopicID[:], Format: 1}
			m.Digest = epoch.Digest(&r.read(schema.TopicEvents, 1)[0])
			c.change(m)
			r.writeMessage(r.producer(eventlog.ProducerConfig{Topic: schema.TopicState}), 1, schema.StateKeyMarker, m)
			w, wait := r.run()
			if c.want == "" {
				await.That(t, "the worker serves all", func() bool { return w.Stats().Partitions == partitions })
				return
			}
			err := wait(false)
			var mismatch *fold.MismatchError
			var refused *epoch.Refused
			if !errors.As(err, &mismatch) && !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the worker ended with %v, want %q", err, c.want)
			}
		})
	}
}

// A partition that lost its end and grew again is noticed when its readers
// reconnect.
func TestTailIsChecked(t *testing.T) {
	r := newRig(t)
	w := r.openWorker(func(*Worker) {})
	rec := r.read(schema.TopicEvents, 0)[0]
	for name, c := range map[string]struct {
		tail epoch.Tail
		ok   bool
	}{
		"nothing read yet":   {epoch.Tail{Offset: -1, Digest: 0}, true},
		"the same":           {epoch.Tail{Offset: 0, Digest: epoch.Digest(&rec)}, true},
		"digest unknown":     {epoch.Tail{Offset: 0, Digest: 0}, true},
		"another record":     {epoch.Tail{Offset: 0, Digest: 1}, false},
		"a record that left": {epoch.Tail{Offset: 1, Digest: 1}, false},
	} {
		err := c.tail.Check(r.ctx(), w.client)
		var refused *epoch.Refused
		if c.ok != (err == nil) || err != nil && !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// steal takes the name that guards a partition's state, and gives it up.
func (r *rig) steal(partition int) {
	r.t.Helper()
	thief := r.client.NewProducer(eventlog.ProducerConfig{
		Topic: schema.TopicState, TransactionalID: fmt.Sprintf("worker-%s-%d", roles.ChatworkerGroup, partition),
	})
	defer thief.Close()
	if err := thief.Init(r.ctx()); err != nil {
		r.t.Fatal(err)
	}
	// Brokers may let the owner before write until the new one has. It may have fenced
	// the thief by then, as it takes again what it lost earlier.
	value, err := proto.Marshal(&schema.StateClaim{Worker: "thief"})
	if err != nil {
		r.t.Fatal(err)
	}
	acked := make(chan error, 1)
	err = thief.Append(partition, eventlog.Record{Key: []byte(schema.StateKeyClaim), Value: value}, func(a eventlog.Ack) { acked <- a.Err })
	if err == nil {
		err = <-acked
	}
	if err != nil && !errors.Is(err, eventlog.ErrFenced) {
		r.t.Fatal(err)
	}
}

// A worker that is fenced, and still has the partition, takes it again: an
// owner that woke up late fenced it.
func TestFencedWorkerTakesItsPartitionAgain(t *testing.T) {
	r := newRig(t)
	w, _ := r.start(func(w *Worker) { w.timing.fenced = 20 * time.Millisecond })
	await.That(t, "the worker serves all", func() bool { return w.Stats().Partitions == partitions })
	r.join("a", channels[0], "s1", "ann")
	r.steal(0)
	r.chat("a", channels[0], "ann", "1")
	member := schema.StateKeyMember("s1", channels[0])
	await.That(t, "the membership is in the state", func() bool { return r.state(schema.TopicState, 0)[member] != nil })
	r.chat("a", channels[0], "ann", "2")
	r.awaitChat("a", "2")
}

// Where it is fenced again and again it stops and says so; what it could not
// guard it did not write.
func TestFencedWorkerStops(t *testing.T) {
	r := newRig(t)
	w, wait := r.run(func(w *Worker) { w.timing.fenced = 20 * time.Millisecond })
	await.That(t, "the worker serves all", func() bool { return w.Stats().Partitions == partitions })
	ended := make(chan error, 1)
	go func() { ended <- wait(false) }()
	for i := 0; ; i++ {
		r.steal(0)
		r.chat("a", channels[0], "ann", fmt.Sprint(i))
		select {
		case err := <-ended:
			if !errors.Is(err, eventlog.ErrFenced) || !strings.Contains(err.Error(), "stop the chat workers") {
				t.Errorf("the worker ended with %v, want ErrFenced", err)
			}
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// The checkpoint after a stop is the fold of the log.
func TestCheckpointIsTheFold(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	for i, c := range channels {
		r.join("a", c, fmt.Sprint("s", i), "ann")
		r.chat("a", c, "ann", fmt.Sprint(i))
		r.awaitChat("a", fmt.Sprint(i))
	}
	stop()
	r.checkCheckpoints()
}
