package room

import (
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// reaction is one whose texts are its own.
func reaction(seq, target int64, user, name string) *changes.Record {
	r := &changes.Record{ID: strings.Clone("01J0000000000000000000000"), Target: target, Author: strings.Clone("ada")}
	r.Seq, r.User, r.React = seq, user, &changes.React{Name: name}
	return r
}

// edit is one as large as that.
func edit(seq, target int64, body int) *changes.Record {
	data := strings.Repeat("x", body)
	r := &changes.Record{ID: fmt.Sprint(seq), Target: target, Author: strings.Clone("ada")}
	r.Seq, r.User, r.Edit = seq, "ada", &changes.Edit{Body: strings.Repeat("x", body), Data: &data}
	return r
}

// The newest changes take what docs/architecture.md says of memory, whatever they are,
// and begin with their floor.
//
//parley:bound changes
func TestChangesTakeWhatTheyMay(t *testing.T) {
	for name, next := range map[string]func(seq int64) *changes.Record{
		"reactions": func(seq int64) *changes.Record {
			return reaction(seq, seq, fmt.Sprint("user", seq), fmt.Sprint("n", seq))
		},
		"the largest":   func(seq int64) *changes.Record { return edit(seq, seq, schema.MaxBody) },
		"small edits":   func(seq int64) *changes.Record { return edit(seq, seq, 10) },
		"middling ones": func(seq int64) *changes.Record { return edit(seq, seq, 3000) },
	} {
		t.Run(name, func(t *testing.T) {
			before := inuse.Heap()
			var r changeRing
			for seq := range int64(20_000) {
				if name == "the largest" && seq == 200 {
					break
				}
				r.add(*next(seq + 1))
			}
			heap := inuse.Heap() - before
			t.Logf("%d changes, %d bytes, the heap grew by %d", len(r.records), r.bytes, heap)
			if len(r.records) > ChangeEntries || r.bytes > ChangeBytes || heap > ChangeBytes*3/2 || r.floor > r.records[0].Seq || len(r.records) < 3 {
				t.Errorf("%d changes, %d bytes, floor %d, the heap grew by %d", len(r.records), r.bytes, r.floor, heap)
			}
		})
	}
}

// What somebody reads of the changes stays as it was.
func TestChangesMayBeReadMeanwhile(t *testing.T) {
	var r changeRing
	const first = 2000
	for seq := range int64(first) {
		r.add(*reaction(seq+1, 1, "ada", "x"))
	}
	read := r.from(0)
	for seq := range int64(3 * ChangeEntries) {
		r.add(*reaction(first+seq+1, 1, "bob", "y"))
	}
	for i := range read {
		if read[i].Seq != int64(i+1) || read[i].User != "ada" {
			t.Fatalf("change %d is %+v", i, read[i])
		}
	}
}

// What became of the messages in a ring counts among its bytes.
//
//parley:bound a ring
func TestRingCountsWhatBecameOfItsMessages(t *testing.T) {
	const entries = 60
	for name, add := range map[string]func(r *ring, seq int64){
		"reactions": func(r *ring, seq int64) {
			r.change(reaction(seq, seq%entries+1, fmt.Sprint("user", seq/7), fmt.Sprint("n", seq%7)))
		},
		"edits":  func(r *ring, seq int64) { r.change(edit(seq, seq%entries+1, schema.MaxBody/2)) },
		"on one": func(r *ring, seq int64) { r.change(reaction(seq, entries, fmt.Sprint("user", seq), "x")) },
	} {
		t.Run(name, func(t *testing.T) {
			before := inuse.Heap()
			r := ring{maxEntries: entries}
			for seq := range int64(entries) {
				m := rpc.Message{Seq: seq + 1, User: "ada", Body: "x"}
				r.add(entry{seq: m.Seq, user: m.User, json: rpc.AppendMessage(nil, &m)})
			}
			most := map[string]int{"reactions": 30_000, "edits": 1000, "on one": 10_000}[name] // of pairs, which connectors check
			for i := range most {
				add(&r, int64(entries+1+i))
			}
			r.before(Span{"ada", 1 << 40, 1 << 30}, 1<<40, 100)
			heap := inuse.Heap() - before
			t.Logf("%d messages, %d bytes, the heap grew by %d", len(r.entries), r.bytes, heap)
			if r.bytes > RingBytes || heap > RingBytes*3/2 || len(r.entries) == 0 {
				t.Errorf("%d messages, %d bytes, the heap grew by %d", len(r.entries), r.bytes, heap)
			}
		})
	}
}

// The older messages that are changed take what may be, and the newest of them stays.
//
//parley:bound older messages that are changed
func TestTargetsTakeWhatTheyMay(t *testing.T) {
	before := inuse.Heap()
	c := New("a", Options{Entries: 1})
	c.replica.position = 1 << 30
	c.begin(1 << 30)
	for seq := range int64(1000) {
		s, m := new(changes.State), &rpc.Message{Seq: seq + 1, User: fmt.Sprint("user", seq)}
		for i := range seq % 300 {
			s.Add(&changes.Message{Seq: m.Seq}, &reaction(i+1, m.Seq, fmt.Sprint("u", i/10), fmt.Sprint("n", i%10)).Change)
		}
		if !c.AddTarget(m.Seq, m, s, 1<<30) || !c.AddTarget(1<<20+seq, nil, nil, 1<<30) {
			t.Fatal("it was not taken")
		}
		if got, known := c.Target(m.Seq); !known || got.Pairs != int(seq%300) {
			t.Fatalf("message %d: %+v %v", m.Seq, got, known)
		}
	}
	for i := range int64(10_000) {
		c.targets.change(reaction(1<<30+i, 1000, fmt.Sprint("user", i), "x"))
	}
	heap := inuse.Heap() - before
	t.Logf("%d messages, %d bytes, the heap grew by %d", len(c.targets.all), c.targets.bytes, heap)
	if n := len(c.targets.all); n > TargetEntries || n != len(c.targets.order) || c.targets.bytes > TargetBytes || heap > TargetBytes*3/2 {
		t.Errorf("%d messages, %d in order, %d bytes, the heap grew by %d", n, len(c.targets.order), c.targets.bytes, heap)
	}
}

// What came after history was read has to be known.
func TestTargetsOfTooLongAgoAreNotTaken(t *testing.T) {
	c := New("a", Options{Entries: 1})
	c.replica.position = 100
	c.begin(50)
	if m := (&rpc.Message{Seq: 1, User: "ada"}); c.AddTarget(1, m, nil, 48) || !c.AddTarget(1, m, nil, 49) {
		t.Error("a message as of 48 is taken, or one as of 49 is not, where changes are known from 50 on")
	}
}
