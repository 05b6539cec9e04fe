package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// The simulated archive answers as the log says, wherever the watermark is and
// whatever of the changes the query knows: by schema/changes, which the definitions
// of this package know nothing of.
func TestSimulatedArchive(t *testing.T) {
	pages := 0
	for seed := range uint64(300) {
		w := &world{rng: rand.New(rand.NewPCG(seed, 3)), counts: map[string]int{}}
		for p := range partitions {
			w.logs[p] = newSimLog(p, 2)
			w.projectors[p] = w.newProjector(w.logs[p])
		}
		l := w.logOf("a")
		w.fill(l, 40)
		for range 20 {
			w.stepProjector(w.projectors[l.partition])
			pages += w.checkArchive(t, seed, l)
		}
	}
	if pages < 1000 {
		t.Errorf("only %d pages with changes", pages)
	}
}

// fill writes messages and changes of channel a, some of them twice.
func (w *world) fill(l *log, n int) {
	users := []string{"ann", "bob", "cat"}
	for i := range n {
		user, id := users[w.rng.IntN(3)], fmt.Sprint("i", w.rng.IntN(n))
		e := &schema.Event{Time: int64(i), Connector: "k", Counter: uint64(i + 1 - w.rng.IntN(2))}
		target := ""
		m := l.channels["a"].message(1 + int64(w.rng.IntN(i+1)))
		switch {
		case w.chance(40) || m == nil:
			if w.chance(30) {
				target = users[w.rng.IntN(3)]
			}
			e.Kind = &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", Session: "s", User: user, Id: id, Body: id, To: target, Type: "poll", Reply: 1}}
		case w.chance(10):
			e.Kind = &schema.Event_Purge{Purge: &schema.Purge{Channel: "a", User: m.User, Id: id, Since: m.Seq, By: &schema.Author{By: &schema.Author_Key{Key: "k"}}}}
		default:
			e.Kind = &schema.Event_Change{Change: w.anyChange(m, user, id)}
		}
		l.append(encode(e))
	}
}

func (w *world) anyChange(m *rpc.Message, user, id string) *schema.Change {
	c := &schema.Change{Channel: m.Channel, Session: "s", User: user, Id: id, Target: m.Seq, Author: m.User, To: m.To}
	switch w.rng.IntN(8) {
	case 0:
		c.Act = &schema.Change_Delete{Delete: &schema.Delete{}}
	case 1, 2:
		c.Act = &schema.Change_Edit{Edit: &schema.Edit{Body: "e" + id, Type: new("text"), Data: []byte("[1]")}}
	case 3:
		c.Act = &schema.Change_Edit{Edit: &schema.Edit{Body: "e" + id, Data: []byte{}}}
	default:
		c.Act = &schema.Change_React{React: &schema.React{Name: []string{"x", "y"}[w.rng.IntN(2)], Remove: w.chance(30)}}
	}
	return c
}

// checkArchive compares one answer, and returns how many changes it has.
func (w *world) checkArchive(t *testing.T, seed uint64, l *log) int {
	ch, end := l.channels["a"], 1+int64(w.rng.IntN(int(l.end())))
	q := history.Query{Channel: "a", User: "ann", Mode: history.Mode(w.rng.IntN(4)), Limit: 1 + w.rng.IntN(8), End: end, VoidsFrom: max(0, end-voidWindow)}
	q.Before, q.After, q.Around = int64(w.rng.IntN(40)), int64(w.rng.IntN(40)), int64(w.rng.IntN(40))
	q.Voids = slices.DeleteFunc(slices.Clone(ch.voids), func(v int64) bool { return v < q.VoidsFrom || v >= end })
	if w.chance(50) {
		q.KnownFrom, q.Known = int64(w.rng.IntN(int(end))), []changes.Record{}
		for _, c := range ch.changes {
			if r, is := changes.Of(c.Seq, l.records[c.Seq].event); is && c.Seq >= q.KnownFrom && c.Seq < end {
				q.Known = append(q.Known, r)
			}
		}
	}
	got := w.readPast(&read{query: q, mark: w.projectors[l.partition].mark.Load()}).page
	want := ch.at(end-1, page(&q, ch.seen("ann", 0, end-1)).Messages)
	if q.Mode == history.After {
		want = ch.at(end-1, ch.seen("ann", q.After, min(got.Seq, end-1)))
	}
	if !slices.EqualFunc(got.Messages, want, sameMessage) || text(got.Mine) != text(ch.mine("ann", end-1, got.Messages)) {
		t.Fatalf("seed %d: %+v is answered with\n%s, mine %s\nwant\n%s", seed, q, text(got.Messages), text(got.Mine), text(want))
	}
	if q.Mode != history.After {
		return 0
	}
	return w.checkForward(t, seed, ch, &q, &got)
}

// checkForward compares the changes of a page after a position.
func (w *world) checkForward(t *testing.T, seed uint64, ch *channel, q *history.Query, got *history.Page) int {
	var want []int64
	for _, c := range ch.told("ann", q.After, got.Seq) {
		if c.Target <= q.After {
			want = append(want, c.Seq)
		}
	}
	var listed []int64
	for _, c := range got.Changes {
		listed = append(listed, c.Seq)
	}
	names := ch.reacted("ann", q.After, got.Seq, q.After)
	n := len(got.Messages) + len(got.Changes) + len(got.Reacted)
	if !slices.Equal(listed, want) || len(got.Reacted) != len(names) || n > q.Limit || got.More && n == 0 {
		t.Fatalf("seed %d: %+v is answered with changes %v, reactions %v, up to %d, more %v, want %v, %v", seed, *q, listed, got.Reacted, got.Seq, got.More, want, names)
	}
	for _, r := range got.Reacted {
		for name, n := range r.Counts {
			if ch.counts(r.Target, q.End-1)[name] != n {
				t.Fatalf("seed %d: %d react with %s to %d, want %v", seed, n, name, r.Target, ch.counts(r.Target, q.End-1))
			}
		}
	}
	return n
}
