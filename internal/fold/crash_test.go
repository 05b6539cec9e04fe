package fold

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

// partition is a partition with its checkpoint, its receivers and its owners,
// of which there may be several that believe to be it.
type partition struct {
	events    []*schema.Event
	state     map[string][]byte
	receivers receivers
	truth     map[string]string // each push, to the byte, by its place
	shown     map[string]string // the same to read
	zombies   [][]Out           // what former owners have yet to send
}

// owner is the life of one owner of the partition.
type owner struct {
	fold   *Fold
	unsent []Out
}

func (p *partition) newOwner(t *rapid.T) *owner {
	f, err := Restore(testLog, collected(p.state))
	if err != nil {
		t.Fatalf("restore: %v", err)
	}
	small(f)
	for i := f.ReadFrom(); i < f.Next(); i++ {
		if out := apply(t, f, i, p.events[i]); out != nil {
			t.Fatalf("offset %d is below %d and sends %s", i, f.Next(), show(out[0]))
		}
	}
	return &owner{fold: f}
}

// step applies one event and lets some of what is unsent arrive.
func (o *owner) step(t *rapid.T, p *partition) {
	at := o.fold.Next()
	o.unsent = append(o.unsent, apply(t, o.fold, at, p.events[at])...)
	o.unsent = p.deliver(t, o.unsent, rapid.IntRange(0, len(o.unsent)).Draw(t, "delivered"))
	if len(p.zombies) > 0 && rapid.Bool().Draw(t, "zombie") {
		z := p.zombies[0]
		if z = p.deliver(t, z, rapid.IntRange(0, len(z)).Draw(t, "of zombie")); len(z) == 0 {
			p.zombies = p.zombies[1:]
			return
		}
		p.zombies[0] = z
	}
}

func (p *partition) deliver(t *rapid.T, out []Out, n int) []Out {
	for _, o := range out[:n] {
		if want := p.truth[place(o)]; want != string(encode(t, o)) {
			t.Fatalf("%s, but the log means %s", show(o), p.shown[place(o)])
		}
		p.receivers[o.Push.Connector].take(t, o)
	}
	return out[n:]
}

// place is the place of a push among all of its partition.
func place(o Out) string {
	return fmt.Sprintf("%s@%d.%d", o.Push.Connector, o.Push.Offset, o.Push.Index)
}

// flush writes the first n records of a checkpoint, all of them when n is
// negative, once everything has arrived.
func (o *owner) flush(t *rapid.T, p *partition, n func(records int) int) {
	o.unsent = p.deliver(t, o.unsent, len(o.unsent))
	records := flush(t, o.fold)
	for _, r := range records[:n(len(records))] {
		if r.Value == nil {
			delete(p.state, r.Key)
			continue
		}
		p.state[r.Key] = r.Value
	}
}

// Whatever crashes at whatever point, with whatever part of a flush written,
// and whatever late owners still send: nothing is sent but what the log means,
// every connector takes the same pushes as if nothing had happened, and the
// state is the same in the end.
func TestCrashesChangeNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &partition{events: drawLog(t), state: map[string][]byte{}, receivers: newReceivers(), truth: map[string]string{}, shown: map[string]string{}}
		end := int64(len(p.events))
		truth, want := newSmall(), newReceivers()
		for i, e := range p.events {
			for _, o := range apply(t, truth, int64(i), e) {
				p.truth[place(o)], p.shown[place(o)] = string(encode(t, o)), show(o)
				want[o.Push.Connector].take(t, o)
			}
		}

		o := p.newOwner(t)
		for o.fold.Next() < end {
			o.step(t, p)
			switch rapid.IntRange(0, 19).Draw(t, "then") {
			case 0, 1:
				o.flush(t, p, func(all int) int { return all })
			case 2:
				p.zombies = append(p.zombies, o.unsent)
				o = p.newOwner(t)
			case 3:
				o.flush(t, p, func(all int) int { return rapid.IntRange(0, all-1).Draw(t, "written") })
				o = p.newOwner(t)
			}
		}
		o.flush(t, p, func(all int) int { return all })
		o.flush(t, p, func(all int) int { return all }) // removes connectors that are gone

		for id, r := range p.receivers {
			if !slices.EqualFunc(r.taken, want[id].taken, bytes.Equal) {
				t.Fatalf("%s took %d pushes, not the %d it takes without a crash", id, len(r.taken), len(want[id].taken))
			}
		}
		all := everything(t, truth)
		compareRecords(t, everything(t, o.fold), all)
		for _, r := range all {
			if !bytes.Equal(p.state[r.Key], r.Value) {
				t.Fatalf("the checkpoint has %q for %q, want %q", p.state[r.Key], r.Key, r.Value)
			}
		}
		if len(p.state) != len(all) {
			t.Fatalf("the checkpoint has %d keys, want %d", len(p.state), len(all))
		}
	})
}
