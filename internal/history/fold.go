package history

import (
	"context"
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// folding makes states of messages, from changes in any order.
type folding struct {
	of     []changes.Message
	states []*changes.State
	at     map[int64]int // by seq
	// deletions says that nothing else is of interest.
	deletions bool
	maxPairs  int  // 0: no bound
	over      bool // there are more: the states are of no use
}

func newFolding(of []changes.Message) *folding {
	f := &folding{of: of, states: make([]*changes.State, len(of)), at: make(map[int64]int, len(of))}
	for i := range of {
		f.states[i], f.at[of[i].Seq] = new(changes.State), i
	}
	return f
}

// add takes a change of a message at target, or a purge.
func (f *folding) add(target int64, c *changes.Change) {
	if c.Purge != nil {
		for i := range f.of {
			f.states[i].Add(&f.of[i], c)
		}
	} else if i, wanted := f.at[target]; wanted {
		f.states[i].Add(&f.of[i], c)
	}
}

// maxPairs is how many reactions are folded at once, of more messages than one: pairs of
// user and name, those taken back included. One message may have as many by itself as
// the connectors' bound of reactions allows.
const maxPairs = 50_000

// states are what all changes of messages below the query's end have made of the first
// of them: of all, unless these have more reactions than are folded at once, and of one
// at least.
func (x *reading) states(ctx context.Context, of []changes.Message) ([]*changes.State, error) {
	f := newFolding(of)
	if len(of) > 1 {
		f.maxPairs = maxPairs
	}
	err := x.foldInto(ctx, f)
	if err != nil || !f.over {
		return f.states, err
	}
	n, err := x.store.foldable(ctx, x.q.Channel, x.at, x.stored(), of)
	if err != nil {
		return nil, err
	}
	return x.states(ctx, of[:min(n, len(of)-1)])
}

// gone reports which of the messages are deleted, by their seq.
func (x *reading) gone(ctx context.Context, of []changes.Message) (map[int64]bool, error) {
	f := newFolding(of)
	f.deletions = true
	err := x.foldInto(ctx, f)
	gone := map[int64]bool{}
	for i := range of {
		gone[of[i].Seq] = f.states[i].Deleted() != nil
	}
	return gone, err
}

func (x *reading) foldInto(ctx context.Context, f *folding) error {
	if len(f.of) > 0 && x.stored() > 0 && !x.untouched {
		if err := x.store.fold(ctx, x.q.Channel, x.at, x.stored(), f); err != nil {
			return err
		}
	}
	for i := range x.changes {
		f.add(x.changes[i].Target, &x.changes[i].Change)
	}
	return nil
}

// fold makes the messages of p what changes left of them, and cuts it again, as they
// may be longer.
func (x *reading) fold(ctx context.Context, p *part, s span) (err error) {
	all := len(p.messages)
	of := make([]changes.Message, all)
	for i := range of {
		m := &p.messages[s.at(i, all)]
		of[i] = changes.Message{Seq: m.Seq, User: m.User}
	}
	if p.states, err = x.states(ctx, of); err != nil {
		return err
	}
	if p.messages = p.messages[:len(p.states)]; s.newest {
		slices.Reverse(p.states)
		p.messages = p.messages[all-len(p.states) : all]
	}
	for i, state := range p.states {
		state.Show(&p.messages[i])
	}
	n, folded := s.fit(p.messages), len(p.messages)
	switch {
	case n == all:
		return nil
	case s.newest:
		p.messages, p.states = p.messages[folded-n:], p.states[folded-n:]
	default:
		p.messages, p.states = p.messages[:n], p.states[:n]
	}
	if p.more = true; x.q.few() {
		p.goOn(&s, -1)
	}
	return nil
}

// mine are what the query's user reacts with to messages.
func (q *Query) mine(messages []rpc.Message, states []*changes.State) (all []rpc.Mine) {
	for i, state := range states {
		if names := state.Mine(q.User); len(names) > 0 && !q.Everyone {
			all = append(all, rpc.Mine{Seq: messages[i].Seq, Names: names})
		}
	}
	return all
}
