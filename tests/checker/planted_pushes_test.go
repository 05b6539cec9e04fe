package checker

import (
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// pushBugs are in what members are pushed.
var pushBugs = []bug{
	{"a push is dropped", Complete, func(g *garden) bool {
		_, i := g.pick(func(e *Entry) bool { return e.Op == PushChat && e.Message.To == "" })
		return g.dropInside(i)
	}},
	{"a private push is dropped", Complete, func(g *garden) bool {
		_, i := g.pick(func(e *Entry) bool { return e.Op == PushChat && e.Message.To != "" })
		return g.dropInside(i)
	}},
	{"a push is repeated", Idempotent, func(g *garden) bool {
		e, i := g.pick(isA(PushChat))
		g.insert(i+1, *e)
		return true
	}},
	{"two pushes are swapped", Complete, func(g *garden) bool {
		e, i := g.pick(isA(PushChat))
		other, _ := g.after(i, isA(PushChat))
		if other == nil {
			return false
		}
		*e, *other = *other, *e
		return true
	}},
	{"a push has another prev", Complete, func(g *garden) bool {
		e, _ := g.pick(isA(PushChat))
		e.Message = &rpc.ChatPush{Message: e.Message.Message, Prev: e.Message.Prev + 1}
		return true
	}},
	{"a push has another body", Genuine, func(g *garden) bool {
		e, _ := g.pick(isA(PushChat))
		message := *e.Message
		message.Body += "?"
		e.Message = &message
		return true
	}},
	{"a push has another seq", Genuine, func(g *garden) bool {
		e, _ := g.pick(isA(PushChat))
		message := *e.Message
		message.Seq += 1 << 40
		e.Message, e.Seq = &message, message.Seq
		return true
	}},
	{"the last push never comes", Drained, func(g *garden) bool {
		done := map[[2]string]bool{}
		for i := len(g.Entries) - 1; i >= 0; i-- {
			e := &g.Entries[i]
			of, all := [2]string{e.Session, e.Channel}, [2]string{e.Session}
			if e.Op == PushChat && !done[of] && !done[all] {
				g.remove(i)
				return true
			}
			if e.Op == End {
				done[all] = true
			}
			done[of] = true
		}
		return false
	}},
	{"a push reaches somebody who is not a member", Private, func(g *garden) bool {
		e, i := g.pick(isA(PushChat))
		stranger, _ := g.pick(func(o *Entry) bool { return o.Op == OpHello && !g.everIn(o.Session, e.Channel) })
		if stranger == nil {
			return false
		}
		leaked := *e
		leaked.Session, leaked.User, leaked.Server = stranger.Session, stranger.User, stranger.Server
		g.insert(i+1, leaked)
		return true
	}},
	{"a push comes after the leave", Private, func(g *garden) bool {
		left, i := g.pick(okay(OpLeave))
		if left == nil {
			return false
		}
		for k := i + 1; k < len(g.Entries); k++ {
			if e := g.Entries[k]; e.Op == PushChat && e.Channel == left.Channel && e.Session != left.Session {
				e.Session, e.User, e.Server = left.Session, left.User, left.Server
				_, again := g.after(i, isA(OpJoin))
				truth, err := newTruth(g.Log)
				if err != nil || again >= 0 && again < k || !e.Message.VisibleTo(e.User) || truth.channel(e.Channel).stayAt(e.Session, e.Seq) != nil {
					return false
				}
				g.insert(k+1, e)
				return true
			}
		}
		return false
	}},
	{"a private message reaches a third", Private, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return e.Op == PushChat && e.Message.To != "" })
		for _, o := range g.Entries {
			if o.Op == OpHello && !e.Message.VisibleTo(o.User) {
				leaked := *e
				leaked.Session, leaked.User, leaked.Server = o.Session, o.User, o.Server
				g.insert(i+1, leaked)
				return true
			}
		}
		return false
	}},
	{"a joined push is dropped", Complete, func(g *garden) bool {
		_, i := g.pick(isA(PushJoined))
		return g.dropInside(i)
	}},
	{"a left push is dropped", Complete, func(g *garden) bool {
		_, i := g.pick(isA(PushLeft))
		return g.dropInside(i)
	}},
	{"a left push is made up", Genuine, func(g *garden) bool {
		e, i := g.pick(isA(PushChat))
		left := *e
		left.Op, left.Message, left.Who, left.Reason = PushLeft, nil, "user1", rpc.LeftTimeout
		g.insert(i+1, left)
		return true
	}},
	{"a left push is repeated", Complete, func(g *garden) bool {
		e, i := g.pick(isA(PushLeft))
		if e == nil {
			return false
		}
		g.insert(i+1, *e)
		return true
	}},
	{"a void message is shown", Idempotent, func(g *garden) bool {
		truth, err := newTruth(g.Log)
		if err != nil {
			return false
		}
		e, i := g.pick(func(e *Entry) bool {
			at, _ := truth.at(e.Channel, e.Seq)
			return e.Op == OpChat && e.Outcome == OK && at.void
		})
		if e == nil {
			return false
		}
		at, _ := truth.at(e.Channel, e.Seq)
		chat := at.Event.GetChat()
		shown := *e
		shown.Op, shown.Outcome, shown.Chat = PushChat, "", nil
		shown.Message = &rpc.ChatPush{Message: rpc.Message{Channel: e.Channel, Seq: e.Seq, ID: chat.Id, User: chat.User, To: chat.To, Body: chat.Body, Time: at.Event.Time}}
		g.insert(i+1, shown)
		return true
	}},
}

// dropInside drops an entry after which its session was pushed more.
func (g *garden) dropInside(i int) bool {
	if i < 0 {
		return false
	}
	next, _ := g.after(i, isA(PushChat, PushJoined, PushLeft, OpJoin, OpLeave))
	if next == nil || next.Op == OpJoin || next.Op == OpLeave || next.Seq == g.Entries[i].Seq {
		return false
	}
	// Directly after the join it would be a gap at the seam.
	for k := i - 1; k >= 0; k-- {
		e := &g.Entries[k]
		if e.Session != g.Entries[i].Session || e.Channel != g.Entries[i].Channel {
			continue
		}
		if e.Op == PushChat {
			g.remove(i)
			return true
		}
		if e.Op == OpJoin {
			return false
		}
	}
	return false
}

func (g *garden) everIn(session, channel string) bool {
	for _, r := range g.Log.Partitions[schema.PartitionOf(channel, len(g.Log.Partitions))] {
		if j := r.Event.GetJoin(); j != nil && j.Session == session && j.Channel == channel {
			return true
		}
	}
	return false
}
