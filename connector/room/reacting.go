package room

import (
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// smallChannel is up to how many users are told who reacted.
	smallChannel = 50
	// crowdRounds is how many rounds of Reactions a crowd waits for one push.
	crowdRounds = 4
)

// reacting are the reactions that members were not told of. Guarded by its channel's
// lock.
type reacting struct {
	pending []*reacted // in the order of their first reactions
	of      map[int64]*reacted
	round   int
	wanted  []int64 // targets whose counts nobody knows
}

// reacted are the reactions to one message that members were not told of.
type reacted struct {
	target     int64
	author, to string
	first      int64 // the seq of the oldest
	names      map[string]bool
	only       *changes.Record // nil: there are several
}

// maxWanted bounds how many targets wait to be looked up; of more, members are not
// told the counts.
const maxWanted = 32

// add takes note of a reaction.
func (r *reacting) add(c *changes.Record) {
	if of := r.of[c.Target]; of != nil {
		of.names[c.React.Name], of.only = true, nil
		return
	}
	of := &reacted{target: c.Target, author: c.Author, to: c.To, first: c.Seq, names: map[string]bool{c.React.Name: true}, only: c}
	if r.of == nil {
		r.of = map[int64]*reacted{}
	}
	r.of[c.Target] = of
	r.pending = append(r.pending, of)
}

// want notes a target whose counts nobody knows.
func (r *reacting) want(target int64) {
	for _, w := range r.wanted {
		if w == target {
			return
		}
	}
	if len(r.wanted) < maxWanted {
		r.wanted = append(r.wanted, target)
	}
}

// Reacting reports whether members are to be told of reactions.
func (c *Channel) Reacting() bool { return len(c.reacting.pending) > 0 }

// Wants reports whether there are any messages for Wanted.
func (c *Channel) Wants() bool { return len(c.reacting.wanted) > 0 }

// Wanted returns the messages that history is to be asked for, for AddTarget, and
// forgets them.
func (c *Channel) Wanted() (targets []int64) {
	targets, c.reacting.wanted = c.reacting.wanted, nil
	return targets
}

// Reactions tells members of the reactions since the last time; a crowd, once in four
// rounds. It is called four times a second while there are any.
func (c *Channel) Reactions() {
	c.reacting.round++
	if len(c.replica.users) > c.options.Presence && c.reacting.round%crowdRounds != 0 {
		return
	}
	c.tellReactions()
	for _, f := range c.fans {
		f.flush()
	}
}

// tellReactions tells members of all reactions that they were not told of.
func (c *Channel) tellReactions() {
	pending := c.reacting.pending
	c.reacting.pending, c.reacting.of = nil, nil
	for _, of := range pending {
		t, known := c.Target(of.target)
		if known && (!t.Exists || t.Deleted) {
			continue
		}
		push := rpc.ReactedPush{Channel: c.name, Seq: c.replica.position, Target: of.target, To: of.to}
		if known {
			push.Counts = map[string]int{}
			for name := range of.names {
				push.Counts[name] = t.count(name)
			}
		}
		if of.only != nil && len(c.replica.users) <= smallChannel {
			push.User, push.Name, push.Remove = of.only.User, of.only.React.Name, of.only.React.Remove
		}
		c.tell(of.author, of.to, rpc.PushReacted, &push)
	}
}

// late reports whether a recovery from offset would not look far enough back for
// what members were not told of.
func (r *reacting) late(offset int64) bool {
	return len(r.pending) > 0 && offset-r.pending[0].first >= LateOffsets
}

func (t *Target) count(name string) int {
	if t.state == nil {
		return 0
	}
	return t.state.Count(name)
}

// tell pushes to all members, or, of what is private, to its two users.
func (c *Channel) tell(user, to, method string, params any) {
	for _, f := range c.fans {
		write := func(b []byte) []byte { return f.dialect.AppendPush(b, method, params) }
		if to == "" {
			f.lay(false, write)
		} else {
			f.whisper(delivery{user: user, to: to}, write)
		}
	}
}
