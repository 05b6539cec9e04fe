package checker

import (
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// moderatorBugs are in what moderators do, and in who is told.
var moderatorBugs = []bug{
	{"nobody says that one is out", Sanctions, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return e.Op == PushRemoved && g.open(e.Session) })
		if e == nil {
			return false
		}
		g.remove(i)
		return true
	}},
	{"who was not put out is said to be", Sanctions, func(g *garden) bool {
		e, i := g.pick(isA(PushChat))
		out := Entry{At: e.At, Op: PushRemoved, Session: e.Session, User: e.User, Server: e.Server, Device: e.Device, Channel: e.Channel, Seq: e.Seq}
		out.Removed = &rpc.RemovedPush{Channel: e.Channel, Seq: e.Seq, Reason: rpc.LeftKicked}
		g.insert(i+1, out)
		return true
	}},
	{"a ban is said to end at another time", Sanctions, func(g *garden) bool {
		e, _ := g.pick(func(e *Entry) bool { return e.Op == PushRemoved && e.Removed.Reason == rpc.LeftBanned })
		if e == nil {
			return false
		}
		removed := *e.Removed
		removed.Until++
		e.Removed = &removed
		return true
	}},
	{"who was put out is still pushed to", Private, func(g *garden) bool {
		e, i := g.pick(isA(PushRemoved))
		if e == nil {
			return false
		}
		for k := i + 1; k < len(g.Entries); k++ {
			o := g.Entries[k]
			if o.Session == e.Session && o.Channel == e.Channel && o.Op == OpJoin {
				return false
			}
			if o.Op == PushChat && o.Channel == e.Channel && o.Seq > e.Seq && o.Message.VisibleTo(e.User) {
				g.insert(k+1, o.to(*e))
				return true
			}
		}
		return false
	}},
	{"a sanction is told to everybody", Private, func(g *garden) bool {
		e, i := g.pick(isA(PushSanctioned))
		if e == nil {
			return false
		}
		for k := i + 1; k < len(g.Entries); k++ {
			if o := g.Entries[k]; o.Op == PushChat && o.Channel == e.Channel && o.User != e.Sanctioned.User && o.User != "user0" && o.User != "user1" && o.Seq >= e.Seq {
				g.insert(k, e.to(o))
				return true
			}
		}
		return false
	}},
	{"a moderator is not told of a sanction", Sanctions, func(g *garden) bool {
		e, i := g.pick(isA(PushSanctioned))
		if e == nil {
			return false
		}
		next, _ := g.after(i, isA(PushChat, PushSanctioned, PushRemoved, OpJoin, OpLeave))
		if next == nil || next.Op == OpJoin || next.Op == OpLeave || next.Op == PushRemoved {
			return false
		}
		g.remove(i)
		return true
	}},
	{"a sanction is said to be another", Sanctions, func(g *garden) bool {
		e, _ := g.pick(isA(PushSanctioned))
		if e == nil {
			return false
		}
		altered := *e.Sanctioned
		altered.Reason += "!"
		e.Sanctioned = &altered
		return true
	}},
	{"a muted user is heard", Bound, func(g *garden) bool {
		return g.silence(func(e *Entry) *schema.Event {
			return &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
				Channel: e.Channel, User: e.User, Action: schema.Sanction_ACTION_MUTE, Id: "made up", By: &schema.Author{By: &schema.Author_Key{Key: "bot"}},
			}}}
		})
	}},
	{"a frozen channel takes messages", Bound, func(g *garden) bool {
		return g.silence(func(e *Entry) *schema.Event {
			if e.User == "user0" || e.User == "user1" {
				return nil
			}
			return &schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{
				Channel: e.Channel, Frozen: new(true), Id: "made up", By: &schema.Author{By: &schema.Author_Key{Key: "bot"}},
			}}}
		})
	}},
	{"a banned user comes in", Bound, func(g *garden) bool {
		return g.edit(func(p int, r Record) bool { return r.Event.GetJoin() != nil }, func(p, i int) bool {
			j := g.Log.Partitions[p][i].Event.GetJoin()
			in, _ := g.pick(func(e *Entry) bool {
				return okay(OpJoin)(e) && e.Session == j.Session && e.Seq == g.Log.Partitions[p][i].Offset
			})
			if in == nil || !g.hole(p, i) {
				return false
			}
			g.Log.Partitions[p] = slices.Insert(g.Log.Partitions[p], i, Record{g.Log.Partitions[p][i].Offset - 1, &schema.Event{
				Time: g.Log.Partitions[p][i].Event.Time, Connector: "api", Counter: 1, Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
					Channel: j.Channel, User: j.User, Action: schema.Sanction_ACTION_BAN, Id: "made up", By: &schema.Author{By: &schema.Author_Key{Key: "bot"}},
				}}}})
			return true
		})
	}},
	{"a result hides a mute", Sanctions, func(g *garden) bool {
		return g.alterResult(func(e *Entry, r *rpc.JoinResult) bool {
			had := r.Sanction != nil && r.Sanction.Until == 0
			r.Sanction = nil
			return had
		})
	}},
	{"a list of sanctions lacks one", Sanctions, func(g *garden) bool {
		e, _ := g.pick(func(e *Entry) bool { return okay(OpSanctions)(e) && len(e.Sanctions.Sanctions) > 0 })
		if e == nil {
			return false
		}
		e.Sanctions = &rpc.SanctionsResult{Sanctions: e.Sanctions.Sanctions[1:]}
		e.Sanctions.Sanctions = append(slices.Clone(e.Sanctions.Sanctions), rpc.Sanction{User: "nobody"})
		return true
	}},
	{"a moderator's act is acknowledged and lost", Durable, func(g *garden) bool {
		return g.edit(func(p int, r Record) bool { return r.Event.GetSanction() != nil }, func(p, i int) bool {
			s := g.Log.Partitions[p][i].Event.GetSanction()
			acked, _ := g.pick(func(e *Entry) bool {
				id, _, is := e.act()
				return is && e.Outcome == OK && id == s.Id && e.Channel == s.Channel
			})
			return acked != nil && g.unlog(p, i)
		})
	}},
	{"a ban is stored that nobody asked for", Genuine, func(g *garden) bool {
		return g.edit(func(p int, r Record) bool { return r.Event.GetSanction() != nil }, func(p, i int) bool {
			g.change(p, i, func(e *schema.Event) { e.GetSanction().User += "!" })
			return true
		})
	}},
	{"the purge of a ban is not pushed", Complete, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return e.Op == PushChanged && e.Changed.By != nil && e.Changed.By.User != "" })
		if e == nil {
			return false
		}
		if next, _ := g.after(i, isA(PushChat, PushChanged, PushRemoved, OpJoin, OpLeave)); next == nil || !next.Op.isPush() {
			return false
		}
		g.remove(i)
		return true
	}},
	{"a setting is left out", Settings, func(g *garden) bool {
		e, _ := g.pick(func(e *Entry) bool { return e.Op == PushSettings && e.Settings.Topic != "" })
		if e == nil {
			return false
		}
		altered := *e.Settings
		altered.Topic = ""
		e.Settings = &altered
		return true
	}},
	{"a worker forgets a lift", Fold, func(g *garden) bool {
		for i, r := range g.Pushes[0] {
			for k, u := range r.Push.Updates {
				if u.GetSanctioned().GetAction() == schema.Sanction_ACTION_LIFT {
					altered := proto.CloneOf(r.Push)
					altered.Updates[k].GetSanctioned().Action = schema.Sanction_ACTION_LIFT_MUTE
					g.Pushes[0][i].Push = altered
					return true
				}
			}
		}
		return false
	}},
}

// open reports whether a session was still open in the end.
func (g *garden) open(session string) bool {
	return !slices.ContainsFunc(g.Entries, func(e Entry) bool { return e.Op == End && e.Session == session })
}

// hole reports whether the offset before a record is free.
func (g *garden) hole(p, i int) bool {
	all := g.Log.Partitions[p]
	return i > 0 && all[i-1].Offset < all[i].Offset-1
}

// silence puts an event before a message of somebody who knew of what came after it.
func (g *garden) silence(event func(e *Entry) *schema.Event) bool {
	truth, err := newTruth(g.Log)
	if err != nil {
		return false
	}
	e, _ := g.pick(func(e *Entry) bool {
		at, found := truth.at(e.Channel, e.Seq)
		return okay(OpChat)(e) && found && !at.void && event(e) != nil
	})
	if e == nil {
		return false
	}
	p := truth.partitionOf(e.Channel)
	knew := int64(0)
	for i := range g.Entries {
		if o := &g.Entries[i]; o.Session == e.Session && o.Channel == e.Channel && o.At < e.Began && (o.Op.isPush() || o.Op == OpJoin) {
			knew = max(knew, o.Seq)
		}
	}
	for i := range g.Log.Partitions[p] {
		if r := g.Log.Partitions[p][i]; r.Offset > knew || !g.hole(p, i) {
			continue
		}
		made := event(e)
		made.Time, made.Connector, made.Counter = g.Log.Partitions[p][i].Event.Time, "api", 1
		g.Log.Partitions[p] = slices.Insert(g.Log.Partitions[p], i, Record{g.Log.Partitions[p][i].Offset - 1, made})
		for k := i + 1; k < len(g.Log.Partitions[p]); k++ { // nothing takes it back
			if x := g.Log.Partitions[p][k].Event; x.GetSet() != nil || x.GetSanction().GetUser() == e.User {
				return false
			}
		}
		return true
	}
	return false
}
