package checker

import (
	"maps"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// changeBugs are in what messages become, and in how that is told.
var changeBugs = []bug{
	{"a change is lost on recovery", Recovery, func(g *garden) bool {
		return g.alterResult(func(e *Entry, r *rpc.JoinResult) bool {
			if r.Recovered == nil || len(r.Changes) == 0 || r.Changes[0].Purge != nil {
				return false
			}
			r.Changes = r.Changes[1:]
			return true
		})
	}},
	{"reactions are lost on recovery", Recovery, func(g *garden) bool {
		return g.alterResult(func(e *Entry, r *rpc.JoinResult) bool {
			if r.Recovered == nil {
				return false
			}
			for i, is := range r.Reacted {
				if !g.deleted(e.Channel, is.Target) {
					r.Reacted = slices.Delete(slices.Clone(r.Reacted), i, i+1)
					return true
				}
			}
			return false
		})
	}},
	{"a void edit is pushed", Idempotent, func(g *garden) bool {
		truth, err := newTruth(g.Log)
		if err != nil {
			return false
		}
		e, i := g.pick(func(e *Entry) bool {
			at, _ := truth.at(e.Channel, e.Seq)
			return e.Op == OpEdit && e.Outcome == OK && at.void
		})
		if e == nil {
			return false
		}
		at, _ := truth.at(e.Channel, e.Seq)
		void := change{seq: e.Seq, time: at.Event.Time, of: at.Event.GetChange()}
		shown := Entry{At: e.At, Op: PushChanged, Session: e.Session, User: e.User, Server: e.Server, Device: e.Device, Channel: e.Channel, Seq: e.Seq}
		shown.Changed = &rpc.ChangedPush{Change: void.asPush(e.Channel)}
		g.insert(i+1, shown)
		return true
	}},
	{"a page is as of the watermark", Changes, func(g *garden) bool {
		return g.ages(func(m *rpc.Message, was rpc.Message) bool { return m.Edited != nil && m.Deleted == nil })
	}},
	{"a late page undoes a deletion", Changes, func(g *garden) bool {
		return g.ages(func(m *rpc.Message, was rpc.Message) bool { return m.Deleted != nil && m.Deleted.By.Key == "" })
	}},
	{"a purge's range is off by one", Changes, func(g *garden) bool {
		return g.ages(func(m *rpc.Message, was rpc.Message) bool { return m.Deleted != nil && m.Deleted.By.Key != "" })
	}},
	{"a private change is leaked", Private, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return e.Op == PushChanged && e.Changed.To != "" })
		if e == nil {
			return false
		}
		for _, o := range g.Entries {
			if m := g.sent(e.Channel, e.Changed.Target); o.Op == OpHello && m != nil && !m.visibleTo(o.User) {
				g.insert(i+1, e.to(o))
				return true
			}
		}
		return false
	}},
	{"private reactions are leaked", Private, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return e.Op == PushReacted && e.Reacted.To != "" })
		if e == nil {
			return false
		}
		for _, o := range g.Entries {
			if m := g.sent(e.Channel, e.Reacted.Target); o.Op == OpHello && m != nil && !m.visibleTo(o.User) {
				g.insert(i+1, e.to(o))
				return true
			}
		}
		return false
	}},
	{"a chain link is skipped", Complete, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return e.Op == PushChanged && e.Changed.To == "" })
		if next, _ := g.after(i, isA(PushChat, PushChanged, OpJoin, OpLeave)); next == nil || !next.Op.isPush() || next.Seq == e.Seq {
			return false
		}
		g.remove(i)
		return true
	}},
	{"a change has another cprev", Complete, func(g *garden) bool {
		return g.alterChanged(func(p *rpc.ChangedPush) bool { p.Cprev++; return true })
	}},
	{"a change is pushed twice", Idempotent, func(g *garden) bool {
		e, i := g.pick(isA(PushChanged))
		g.insert(i+1, *e)
		return true
	}},
	{"an edit says something else", Genuine, func(g *garden) bool {
		return g.alterChanged(func(p *rpc.ChangedPush) bool {
			if p.Edit != nil {
				p.Edit = &rpc.Edit{Body: p.Edit.Body + "?"}
			}
			return p.Edit != nil
		})
	}},
	{"a pushed purge begins one too late", Genuine, func(g *garden) bool {
		return g.alterChanged(func(p *rpc.ChangedPush) bool {
			if p.Purge != nil {
				p.Purge = &rpc.PurgeChange{User: p.Purge.User, Since: p.Purge.Since + 1}
			}
			return p.Purge != nil
		})
	}},
	{"a reaction is counted twice", Changes, func(g *garden) bool {
		e, _ := g.pick(isA(PushReacted))
		if e == nil {
			return false
		}
		altered := *e.Reacted
		altered.Counts = maps.Clone(altered.Counts)
		for name := range altered.Counts {
			altered.Counts[name]++
		}
		e.Reacted = &altered
		return true
	}},
	{"a page counts a reaction twice", Changes, func(g *garden) bool {
		return g.alterMessage(func(m *rpc.Message) bool {
			if len(m.Reactions) == 0 {
				return false
			}
			m.Reactions = slices.Clone(m.Reactions)
			m.Reactions[0].Count++
			return true
		})
	}},
	{"the newest reaction is never told", Changes, func(g *garden) bool {
		truth, err := newTruth(g.Log)
		if err != nil {
			return false
		}
		e, i := g.pick(func(e *Entry) bool {
			stay := truth.channel(e.Channel).stayAt(e.Session, e.Seq)
			return e.Op == PushReacted && stay != nil && stay.to == 0 && !g.deleted(e.Channel, e.Reacted.Target) && g.newest(truth, e)
		})
		if e == nil {
			return false
		}
		g.remove(i)
		return true
	}},
	{"an own reaction is forgotten", Changes, func(g *garden) bool {
		return g.alterPage(func(_ *Entry, r *rpc.HistoryResult) bool {
			had := len(r.Mine) > 0
			r.Mine = nil
			return had
		})
	}},
	{"a page is short of a change", Recovery, func(g *garden) bool {
		return g.alterPage(func(_ *Entry, r *rpc.HistoryResult) bool {
			if len(r.Changes) == 0 || r.Changes[0].Purge != nil {
				return false
			}
			r.Changes = r.Changes[1:]
			return true
		})
	}},
	{"a result has another clast", Seam, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool { r.Clast++; return true })
	}},
	{"settings are not pushed", Settings, func(g *garden) bool {
		e, i := g.pick(isA(PushSettings))
		if e == nil {
			return false
		}
		if next, _ := g.after(i, isA(PushChat, PushChanged, OpJoin, OpLeave)); next == nil || !next.Op.isPush() {
			return false
		}
		g.remove(i)
		return true
	}},
	{"a result has other pins", Settings, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool {
			had := len(r.Settings.Pins) > 0
			r.Settings.Pins = nil
			return had
		})
	}},
	{"a message is said to be gone", Changes, func(g *garden) bool {
		e, _ := g.pick(func(e *Entry) bool {
			knew := slices.ContainsFunc(g.Entries, func(o Entry) bool {
				return o.Op == PushChat && o.Session == e.Session && e.Edit != nil && o.Seq == e.Edit.Seq && o.Channel == e.Channel && o.At < e.Began
			})
			return e.Op == OpEdit && knew && !g.deleted(e.Channel, e.Edit.Seq)
		})
		if e == nil {
			return false
		}
		e.Outcome, e.Code = Failed, rpc.CodeGone
		return true
	}},
	{"an edit is acknowledged and lost", Durable, func(g *garden) bool {
		return g.edit(func(p int, r Record) bool { return r.Event.GetChange().GetEdit() != nil }, func(p, i int) bool {
			e := g.Log.Partitions[p][i].Event.GetChange()
			twice, _ := g.pick(func(o *Entry) bool { return o.Op == OpEdit && o.Edit.ID == e.Id && o.Outcome != OK })
			return twice == nil && g.unlog(p, i)
		})
	}},
	{"an edit is stored as somebody else's words", Genuine, func(g *garden) bool {
		return g.edit(g.standsAsEdit, func(p, i int) bool {
			g.change(p, i, func(e *schema.Event) { e.GetChange().GetEdit().Body += "!" })
			return true
		})
	}},
	{"a change names another author", Genuine, func(g *garden) bool {
		return g.edit(g.standsAsEdit, func(p, i int) bool {
			g.change(p, i, func(e *schema.Event) { e.GetChange().Author += "!" })
			return true
		})
	}},
	{"a reaction is answered as unchanged and never was", Genuine, func(g *garden) bool {
		e, _ := g.pick(func(e *Entry) bool { return okay(OpReact)(e) && !e.Unchanged && !e.React.Remove })
		e.Unchanged, e.Seq = true, 0
		return true
	}},
	{"the answer to a retry names what is void", Durable, func(g *garden) bool {
		truth, err := newTruth(g.Log)
		if err != nil {
			return false
		}
		e, _ := g.pick(func(e *Entry) bool {
			at, _ := truth.at(e.Channel, e.Seq)
			return okay(OpEdit)(e) && at.void
		})
		if e == nil {
			return false
		}
		again := *e.Edit
		again.Retry = true
		e.Edit = &again
		return true
	}},
}

// to is the same entry as somebody else got it.
func (e *Entry) to(o Entry) Entry {
	leaked := *e
	leaked.Session, leaked.User, leaked.Server, leaked.Device = o.Session, o.User, o.Server, o.Device
	return leaked
}

// standsAsEdit reports whether the record is an edit and not void.
func (g *garden) standsAsEdit(_ int, r Record) bool {
	truth, err := newTruth(g.Log)
	return err == nil && r.Event.GetChange().GetEdit() != nil && truth.channel(r.Event.GetChange().Channel).changeAt(r.Offset) != nil
}

// sent is a message of the log; nil for none.
func (g *garden) sent(channel string, seq int64) *message {
	truth, err := newTruth(g.Log)
	if err != nil {
		return nil
	}
	return truth.channel(channel).messageAt(seq)
}

// deleted reports whether a message is deleted in the end.
func (g *garden) deleted(channel string, seq int64) bool {
	m := g.sent(channel, seq)
	return m == nil || m.shown(channel, 1<<60).Deleted != nil
}

// newest reports whether no later answer and no later push tells of the same message
// and names.
func (g *garden) newest(truth *truth, e *Entry) bool {
	for i := range g.Entries {
		o := &g.Entries[i]
		if o.Session != e.Session || o.Channel != e.Channel || o.At < e.At || o == e {
			continue
		}
		if o.Op == OpHistory || o.Op == OpPins || o.Op == OpJoin || o.Op == PushReacted && o.Reacted.Target == e.Reacted.Target {
			return false
		}
	}
	shown := slices.ContainsFunc(g.Entries, func(o Entry) bool {
		return o.Op == PushChat && o.Session == e.Session && o.Channel == e.Channel && o.Seq == e.Reacted.Target
	})
	return shown
}

// ages makes a message of a page what it was before its newest change.
func (g *garden) ages(fits func(m *rpc.Message, was rpc.Message) bool) bool {
	truth, err := newTruth(g.Log)
	if err != nil {
		return false
	}
	return g.alterMessage(func(m *rpc.Message) bool {
		of := truth.channel(m.Channel).messageAt(m.Seq)
		newest := int64(0)
		if m.Edited != nil {
			newest = m.Edited.Seq
		}
		if m.Deleted != nil {
			newest = m.Deleted.Seq
		}
		if newest == 0 {
			return false
		}
		was := of.shown(m.Channel, newest-1)
		if !fits(m, was) {
			return false
		}
		*m = was
		return true
	})
}

// alterMessage changes a message of a page of history that change accepts.
func (g *garden) alterMessage(change func(*rpc.Message) bool) bool {
	return g.alterPage(func(_ *Entry, r *rpc.HistoryResult) bool {
		r.Messages = slices.Clone(r.Messages)
		for i := range r.Messages {
			if change(&r.Messages[i]) {
				return true
			}
		}
		return false
	})
}

func (g *garden) alterChanged(change func(*rpc.ChangedPush) bool) bool {
	e, _ := g.pick(func(e *Entry) bool {
		if e.Op != PushChanged {
			return false
		}
		altered := *e.Changed
		if !change(&altered) {
			return false
		}
		e.Changed = &altered
		return true
	})
	return e != nil
}
