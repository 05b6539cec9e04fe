package checker

import (
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

// pastBugs are in what joins and history answer.
var pastBugs = []bug{
	{"the first push after a join is lost", Seam, func(g *garden) bool {
		for i := range g.Entries {
			if e := &g.Entries[i]; e.Op != OpJoin || e.Outcome != OK {
				continue
			}
			next, k := g.after(i, isA(PushChat, OpLeave))
			if next == nil || next.Op != PushChat {
				continue
			}
			if more, _ := g.after(k, isA(PushChat, OpLeave)); more != nil && more.Op == PushChat {
				g.remove(k)
				return true
			}
		}
		return false
	}},
	{"a message of the result is pushed again", Seam, func(g *garden) bool {
		e, i := g.pick(func(e *Entry) bool { return okay(OpJoin)(e) && len(e.Joined.Messages) > 0 })
		message := e.Joined.Messages[len(e.Joined.Messages)-1]
		again := *e
		again.Op, again.Outcome, again.Join, again.Joined = PushChat, "", nil, nil
		again.Seq, again.Message = message.Seq, &rpc.ChatPush{Message: message}
		g.insert(i+1, again)
		return true
	}},
	{"a result lacks a message", Seam, func(g *garden) bool {
		return g.alterResult(func(e *Entry, r *rpc.JoinResult) bool {
			if e.Join.Since != nil || len(r.Messages) < 2 {
				return false
			}
			r.Messages = slices.Delete(slices.Clone(r.Messages), 1, 2)
			return true
		})
	}},
	{"a result holds a message too many", Seam, func(g *garden) bool {
		return g.alterResult(func(e *Entry, r *rpc.JoinResult) bool {
			if e.Join.Since != nil || len(r.Messages) == 0 {
				return false
			}
			r.Messages = append(slices.Clone(r.Messages), r.Messages[len(r.Messages)-1])
			return true
		})
	}},
	{"a result hides that there is more", Seam, func(g *garden) bool {
		return g.alterResult(func(e *Entry, r *rpc.JoinResult) bool {
			had := r.More
			r.More = false
			return had
		})
	}},
	{"a result has another last", Seam, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool { r.Last++; return true })
	}},
	{"a result is of another epoch", Genuine, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool { r.Epoch = "e0"; return true })
	}},
	{"a result lists a ghost", Members, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool {
			r.Members, r.Count = append(slices.Clone(r.Members), rpc.Member{User: "zoe"}), r.Count+1
			return true
		})
	}},
	{"a result lacks a member", Members, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool {
			r.Members, r.Count = r.Members[1:], r.Count-1
			return true
		})
	}},
	{"a recovery is silently partial", Recovery, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool {
			if r.Recovered == nil || len(r.Messages) == 0 {
				return false
			}
			r.Messages = r.Messages[1:]
			return true
		})
	}},
	{"a recovery does not say how it went", Recovery, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool {
			had := r.Recovered != nil
			r.Recovered = nil
			return had
		})
	}},
	{"a recovery is refused without need", Recovery, func(g *garden) bool {
		return g.alterResult(func(_ *Entry, r *rpc.JoinResult) bool {
			had := r.Recovered != nil
			r.Recovered, r.Reason = new(false), rpc.ReasonTooMany
			return had
		})
	}},
	{"a page of history has a hole", Seam, func(g *garden) bool {
		return g.alterPage(func(e *Entry, r *rpc.HistoryResult) bool {
			if len(r.Messages) < 3 {
				return false
			}
			r.Messages = slices.Delete(slices.Clone(r.Messages), 1, 2)
			return true
		})
	}},
	{"a page of history lacks what was known", Seam, func(g *garden) bool {
		return g.alterPage(func(e *Entry, r *rpc.HistoryResult) bool {
			had := len(r.Messages) > 0
			r.Messages, r.More = nil, false
			_, i := g.pick(func(o *Entry) bool {
				return o.Op == PushChat && o.Session == e.Session && o.Channel == e.Channel && o.At < e.Began && e.History.Before == nil && (e.History.After == nil || *e.History.After < o.Seq)
			})
			return had && i >= 0
		})
	}},
	{"a page around a message is empty", Seam, func(g *garden) bool {
		return g.alterAround(func(r *rpc.HistoryResult) bool {
			had := len(r.Messages) > 0
			r.Messages, r.More, r.Newer = nil, false, false
			return had
		})
	}},
	{"a page around a message lacks the older half", Seam, func(g *garden) bool {
		return g.alterAround(func(r *rpc.HistoryResult) bool {
			had := len(r.Messages) > 4
			r.Messages = r.Messages[len(r.Messages)/2:]
			return had
		})
	}},
	{"a page around a message hides that there are older ones", Seam, func(g *garden) bool {
		return g.alterAround(func(r *rpc.HistoryResult) bool {
			had := r.More
			r.More = false
			return had
		})
	}},
	{"a page around a message promises newer ones", Seam, func(g *garden) bool {
		return g.alterPage(func(e *Entry, r *rpc.HistoryResult) bool {
			had, full := r.Newer, len(r.Messages) >= *e.History.Limit // or there may be newer ones since
			r.Newer = true
			return e.History.Around != nil && !had && !full
		})
	}},
	{"a page of history shows a private message", Private, func(g *garden) bool {
		return g.alterPage(func(e *Entry, r *rpc.HistoryResult) bool {
			for i := range g.Entries {
				o := &g.Entries[i]
				if o.Op == PushChat && o.Channel == e.Channel && !o.Message.VisibleTo(e.User) {
					r.Messages = append(slices.Clone(r.Messages), o.Message.Message)
					return true
				}
			}
			return false
		})
	}},
	{"a list of members has a ghost", Members, func(g *garden) bool {
		e, _ := g.pick(okay(OpMembers))
		if e == nil {
			return false
		}
		e.Members = &rpc.MembersResult{Members: append(slices.Clone(e.Members.Members), rpc.Member{User: "zoe"}), Count: e.Members.Count + 1}
		return true
	}},
}

// alterResult changes the result of a join that change accepts.
func (g *garden) alterResult(change func(*Entry, *rpc.JoinResult) bool) bool {
	e, _ := g.pick(func(e *Entry) bool {
		if e.Op != OpJoin || e.Outcome != OK {
			return false
		}
		altered := *e.Joined
		if !change(e, &altered) {
			return false
		}
		e.Joined = &altered
		return true
	})
	return e != nil
}

func (g *garden) alterPage(change func(*Entry, *rpc.HistoryResult) bool) bool {
	e, _ := g.pick(func(e *Entry) bool {
		if e.Op != OpHistory || e.Outcome != OK {
			return false
		}
		altered := *e.Page
		if !change(e, &altered) {
			return false
		}
		e.Page = &altered
		return true
	})
	return e != nil
}

func (g *garden) alterAround(change func(*rpc.HistoryResult) bool) bool {
	return g.alterPage(func(e *Entry, r *rpc.HistoryResult) bool { return e.History.Around != nil && change(r) })
}
