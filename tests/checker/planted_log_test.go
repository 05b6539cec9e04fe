package checker

import (
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// chatBugs are in the handling of what clients send.
var chatBugs = []bug{
	{"a message is acknowledged and lost", Durable, func(g *garden) bool {
		return g.edit(func(p int, r Record) bool { return g.attempts(r) == 1 }, g.unlog)
	}},
	{"a message is acknowledged at another seq", Durable, func(g *garden) bool {
		truth, err := newTruth(g.Log)
		e, _ := g.pick(func(e *Entry) bool {
			next, _ := truth.at(e.Channel, e.Seq+1) // which may be the same message again
			return okay(OpChat)(e) && !next.void
		})
		if err != nil || e == nil {
			return false
		}
		e.Seq++
		return true
	}},
	{"a message is refused and stored", Durable, func(g *garden) bool {
		e, _ := g.pick(func(e *Entry) bool {
			return okay(OpChat)(e) && g.attempts(Record{Event: &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: e.Channel, User: e.User, Id: e.Chat.ID}}}}) == 1
		})
		if e == nil {
			return false
		}
		e.Outcome = Failed
		return true
	}},
	{"a retry is stored twice", Idempotent, func(g *garden) bool {
		g.Log.Window = 1
		truth, err := newTruth(g.Log)
		if err != nil {
			return false
		}
		ids := map[actKey]bool{}
		for _, ch := range truth.channels {
			for _, m := range ch.messages {
				key := actKey{ch.name, m.chat.User, m.chat.Id}
				if ids[key] {
					return true
				}
				ids[key] = true
			}
		}
		return false
	}},
	{"a message is stored that nobody sent", Genuine, func(g *garden) bool {
		return g.edit(isChat, func(p, i int) bool {
			g.change(p, i, func(e *schema.Event) { e.GetChat().Id = "made up" })
			return true
		})
	}},
	{"a message is stored as somebody else's words", Genuine, func(g *garden) bool {
		return g.edit(g.stands, func(p, i int) bool {
			g.change(p, i, func(e *schema.Event) { e.GetChat().Body += "!" })
			return true
		})
	}},
	{"a later message comes before an acknowledged one", RealTime, func(g *garden) bool {
		truth, err := newTruth(g.Log)
		if err != nil {
			return false
		}
		return g.edit(g.stands, func(p, i int) bool {
			a := g.Log.Partitions[p][i].Event.GetChat()
			first, _ := g.pick(func(e *Entry) bool { return okay(OpChat)(e) && e.Channel == a.Channel && e.Chat.ID == a.Id })
			if first == nil {
				return false
			}
			second, _ := g.pick(func(e *Entry) bool {
				at, _ := truth.at(e.Channel, e.Seq)
				return okay(OpChat)(e) && e.Channel == a.Channel && e.Began > first.At && !at.void && e.Seq > g.Log.Partitions[p][i].Offset
			})
			if second == nil {
				return false
			}
			k := g.record(p, second.Seq)
			b := g.Log.Partitions[p][k].Event.GetChat()
			g.change(p, i, func(e *schema.Event) { e.Kind = &schema.Event_Chat{Chat: b} })
			g.change(p, k, func(e *schema.Event) { e.Kind = &schema.Event_Chat{Chat: a} })
			return true
		})
	}},
}

// presenceBugs are in who is a member.
var presenceBugs = []bug{
	{"a ghost stays for ever", Ghost, func(g *garden) bool {
		return g.edit(leftBy(schema.Reason_REASON_DISCONNECT), func(p, i int) bool {
			ends := func(r Record) bool {
				return r.Event.GetDown().GetConnector() == g.Log.Partitions[p][i].Event.Connector
			}
			return !slices.ContainsFunc(g.Log.Partitions[p], ends) && g.unlog(p, i)
		})
	}},
	{"a dead connector is never declared down", Ghost, func(g *garden) bool {
		return g.edit(func(_ int, r Record) bool {
			return r.Event.GetDown() != nil && g.hasMembers(r.Event.GetDown().Connector)
		}, func(p, i int) bool {
			dead := g.Log.Partitions[p][i].Event.GetDown().Connector
			for p := range g.Log.Partitions {
				g.Log.Partitions[p] = slices.DeleteFunc(g.Log.Partitions[p], func(r Record) bool { return r.Event.GetDown().GetConnector() == dead })
			}
			return true
		})
	}},
	{"a ghost leaves late", Ghost, func(g *garden) bool {
		return g.edit(leftBy(schema.Reason_REASON_DISCONNECT), func(p, i int) bool {
			g.change(p, i, func(e *schema.Event) { e.Time += time.Minute.Milliseconds() })
			return true
		})
	}},
	{"a live session is thrown out", Evicted, func(g *garden) bool {
		return g.edit(leftBy(schema.Reason_REASON_DISCONNECT), func(p, i int) bool {
			l := g.Log.Partitions[p][i].Event.GetLeave()
			_, end := g.pick(func(e *Entry) bool { return e.Op == End && e.Session == l.Session })
			if end < 0 || g.Entries[end].At > 20*time.Second {
				return false
			}
			g.Entries[end].At += time.Minute
			return g.quiet(g.Entries[end].Server)
		})
	}},
	{"a leave is stored that nobody asked for", Evicted, func(g *garden) bool {
		return g.edit(leftBy(schema.Reason_REASON_DISCONNECT), func(p, i int) bool {
			l := g.Log.Partitions[p][i].Event.GetLeave()
			_, asked := g.pick(func(e *Entry) bool {
				return e.Session == l.Session && e.Channel == l.Channel && (e.Op == OpLeave || e.Op == OpJoin && e.Outcome != OK)
			})
			g.change(p, i, func(e *schema.Event) { e.GetLeave().Reason = schema.Reason_REASON_LEAVE })
			return asked < 0
		})
	}},
	{"a leave is answered and never made", Genuine, func(g *garden) bool {
		return g.edit(leftBy(schema.Reason_REASON_LEAVE), func(p, i int) bool {
			l := g.Log.Partitions[p][i].Event.GetLeave()
			_, answered := g.pick(func(e *Entry) bool { return okay(OpLeave)(e) && e.Session == l.Session && e.Channel == l.Channel })
			later := func(r Record) bool {
				return r.Event.GetLeave().GetSession() == l.Session && r.Event.GetLeave().Channel == l.Channel
			}
			return answered >= 0 && !slices.ContainsFunc(g.Log.Partitions[p][i+1:], later) && g.unlog(p, i)
		})
	}},
	{"a user who is back in time flickers", Flicker, (*garden).flicker},
}

// flicker puts the leave of a cut session before the join with which its
// user came back.
func (g *garden) flicker() bool {
	truth, err := newTruth(g.Log)
	if err != nil {
		return false
	}
	return g.edit(leftBy(schema.Reason_REASON_DISCONNECT), func(p, i int) bool {
		left := g.Log.Partitions[p][i].Event.GetLeave()
		cut, _ := g.pick(func(e *Entry) bool { return e.Op == End && !e.Clean && e.Session == left.Session })
		if cut == nil || !g.quiet(cut.Server) {
			return false
		}
		from := truth.channel(left.Channel).stays[left.Session][0].from
		// Nobody else of the user's may be there, or nobody would see it leave.
		alone := func(seq int64) bool {
			for _, stays := range truth.channel(left.Channel).stays {
				for _, s := range stays {
					if s.user == left.User && s.session != left.Session && s.from < seq && (s.to == 0 || s.to > seq) {
						return false
					}
				}
			}
			return true
		}
		for k := i - 1; k > 0 && g.Log.Partitions[p][k].Offset > from; k-- {
			e := g.Log.Partitions[p][k].Event
			j := e.GetJoin()
			if j == nil || j.User != left.User || j.Channel != left.Channel || e.Time <= g.Start.Add(cut.At).UnixMilli() || !alone(g.Log.Partitions[p][k].Offset) {
				continue
			}
			a, b := g.Log.Partitions[p][k].Event, g.Log.Partitions[p][i].Event
			if a.Connector == b.Connector || a.Time >= g.Start.Add(cut.At+backInTime).UnixMilli() {
				return false // their counters would be out of order; it came too late
			}
			g.Log.Partitions[p][k].Event, g.Log.Partitions[p][i].Event = b, a
			g.change(p, k, func(e *schema.Event) { e.Time = a.Time })
			return true
		}
		return false
	})
}

// quiet reports whether no fault struck the server.
func (g *garden) quiet(server string) bool {
	_, i := g.pick(func(e *Entry) bool { return e.Op == Fault && e.Server == server })
	return i < 0
}

func (g *garden) hasMembers(connector string) bool {
	truth, err := newTruth(g.Log)
	if err != nil {
		return false
	}
	for _, ch := range truth.channels {
		for _, stays := range ch.stays {
			for _, s := range stays {
				if s.connector == connector && s.down {
					return true
				}
			}
		}
	}
	return false
}

// forgetUntouched has workers push as those of an earlier version do.
func (g *garden) forgetUntouched() (found bool) {
	for _, records := range g.Pushes {
		for i := range records {
			known := withoutUntouched(records[i].Push)
			found = found || !proto.Equal(known, records[i].Push)
			records[i].Push = known
		}
	}
	return found
}

// downstreamBugs are in what workers and the projector make of the log.
var downstreamBugs = []bug{
	{"a zombie pushes something else", Fold, func(g *garden) bool {
		i := g.rng.IntN(len(g.Pushes[0]))
		altered := proto.CloneOf(g.Pushes[0][i].Push)
		altered.PrevOffset++
		g.Pushes[0] = append(g.Pushes[0], PushRecord{Push: altered})
		return true
	}},
	{"a channel is not said to be untouched", Fold, func(g *garden) bool {
		return g.forgetUntouched()
	}},
	{"a push is never emitted", Fold, func(g *garden) bool {
		lost := keyOf(g.Pushes[0][g.rng.IntN(len(g.Pushes[0]))].Push)
		g.Pushes[0] = slices.DeleteFunc(g.Pushes[0], func(r PushRecord) bool { return keyOf(r.Push) == lost })
		return true
	}},
	{"two pushes are emitted out of order", Fold, func(g *garden) bool {
		all := g.Pushes[0]
		for i := range all[1:] {
			if a, b := all[i].Push, all[i+1].Push; a.Connector == b.Connector && a.Partition == b.Partition && a.Offset < b.Offset {
				all[i], all[i+1] = all[i+1], all[i]
				return true
			}
		}
		return false
	}},
	{"a row is missing", Projection, func(g *garden) bool {
		i := g.rng.IntN(len(g.Rows))
		g.Rows = slices.Delete(g.Rows, i, i+1)
		return true
	}},
	{"a row is missing below the watermark, in mid-run", Projection, func(g *garden) bool {
		g.Drained = false
		i := g.rng.IntN(len(g.Rows))
		g.Rows = slices.Delete(g.Rows, i, i+1)
		return true
	}},
	{"a row is stored twice", Projection, func(g *garden) bool {
		g.Rows = append(g.Rows, g.Rows[g.rng.IntN(len(g.Rows))])
		return true
	}},
	{"a row says something else", Projection, func(g *garden) bool {
		g.Rows[g.rng.IntN(len(g.Rows))].User += "?"
		return true
	}},
	{"a void row is not marked", Projection, func(g *garden) bool {
		i := slices.IndexFunc(g.Rows, func(r Row) bool { return r.Void })
		if i >= 0 {
			g.Rows[i].Void = false
		}
		return i >= 0
	}},
	{"a row has no event", Projection, func(g *garden) bool {
		r := g.Rows[0]
		r.Seq = 1 << 40
		g.Rows = append(g.Rows, r)
		return true
	}},
	{"the row of a change is missing", Projection, func(g *garden) bool {
		had := len(g.ChangeRows) > 0
		g.ChangeRows = g.ChangeRows[:max(0, len(g.ChangeRows)-1)]
		return had
	}},
	{"the row of a change is stored twice", Projection, func(g *garden) bool {
		g.ChangeRows = append(g.ChangeRows, g.ChangeRows[0])
		return true
	}},
	{"a void change is in the table of changes", Projection, func(g *garden) bool {
		r := g.ChangeRows[0]
		r.Seq++
		g.ChangeRows = append(g.ChangeRows, r)
		return true
	}},
	{"the view shows what was deleted", Projection, func(g *garden) bool {
		i := slices.IndexFunc(g.Shown, func(r ShownRow) bool { return r.Deleted > 0 })
		if i >= 0 {
			g.Shown[i].Body = "still here"
		}
		return i >= 0
	}},
	{"the projector never catches up", Drained, func(g *garden) bool {
		g.Watermarks[0]--
		return true
	}},
}

func isChat(_ int, r Record) bool { return r.Event.GetChat() != nil }

// stands reports whether the record is a chat and not void.
func (g *garden) stands(p int, r Record) bool {
	void := func(row Row) bool { return row.Partition == int32(p) && row.Seq == r.Offset && row.Void }
	return r.Event.GetChat() != nil && !slices.ContainsFunc(g.Rows, void)
}

func leftBy(reason schema.Reason) func(int, Record) bool {
	return func(_ int, r Record) bool { return r.Event.GetLeave() != nil && r.Event.GetLeave().Reason == reason }
}

// attempts counts those at a message that were acknowledged or may have been.
func (g *garden) attempts(r Record) (n int) {
	chat := r.Event.GetChat()
	if chat == nil {
		return 0
	}
	for i := range g.Entries {
		if e := &g.Entries[i]; e.Op == OpChat && e.Chat.ID == chat.Id && e.User == chat.User {
			if n++; e.Outcome != OK {
				n++
			}
		}
	}
	return n
}

// edit tries to do something to events that fit until it worked.
func (g *garden) edit(fits func(int, Record) bool, do func(partition, i int) bool) bool {
	for _, p := range g.rng.Perm(len(g.Log.Partitions)) {
		for _, i := range g.rng.Perm(len(g.Log.Partitions[p])) {
			if fits(p, g.Log.Partitions[p][i]) && do(p, i) {
				return true
			}
		}
	}
	return false
}

// unlog removes an event, which leaves a hole in the offsets.
func (g *garden) unlog(p, i int) bool {
	g.Log.Partitions[p] = slices.Delete(g.Log.Partitions[p], i, i+1)
	return true
}

// change alters an event of the log alone.
func (g *garden) change(p, i int, alter func(*schema.Event)) {
	e := proto.CloneOf(g.Log.Partitions[p][i].Event)
	alter(e)
	g.Log.Partitions[p][i].Event = e
}
