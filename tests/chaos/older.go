package chaos

import "github.com/parley-chat/parley/schema/rpc"

// older reports whether the session's server is of before format 2: it has no limit
// of data then. It ignores new fields, so a client leaves them out.
func (s *session) older() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limits.Data == 0
}

// plain is the act as a client sends it that knows nothing of format 2.
func (a act) plain() act {
	if c := a.entry.Chat; c != nil {
		a.entry.Chat = &rpc.ChatParams{Channel: c.Channel, Body: c.Body, To: c.To, ID: c.ID}
	}
	return a
}

// complete fills in what an older server leaves out of a join's result: it shows
// everything as of its position, and has no settings.
func (s *session) complete(r *rpc.JoinResult) {
	if s.older() {
		r.Asof, r.Settings.Pins = r.Seq, []int64{}
	}
}

// completePage does so with a page of history, which ends at its last message.
func (s *session) completePage(q rpc.HistoryParams, p *rpc.HistoryResult) {
	if !s.older() {
		return
	}
	if q.After != nil {
		p.Seq = *q.After
	}
	if n := len(p.Messages); n > 0 {
		p.Seq = p.Messages[n-1].Seq
	}
	p.Asof = p.Seq
}
