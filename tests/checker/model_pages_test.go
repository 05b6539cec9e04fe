package checker

import (
	"github.com/parley-chat/parley/schema/rpc"
)

func (m *model) history(p *person) {
	channel := m.anyPlace(p)
	if channel == "" {
		return
	}
	limit := 1 + m.rng.IntN(20)
	q := &rpc.HistoryParams{Channel: channel, Limit: &limit}
	e := Entry{Began: m.now, Op: OpHistory, Outcome: OK, Channel: channel, History: q, Page: &rpc.HistoryResult{Epoch: "e1", Asof: m.asof(channel)}}
	at := m.rng.Int64N(m.asof(channel) + 1)
	mode := m.rng.IntN(4)
	if m.rng.IntN(4) == 0 && mode < 2 {
		q.User = "user1"
	}
	seen := m.seen(p, q)
	i := indexAbove(seen, at, func(s rpc.Message) int64 { return s.Seq })
	switch mode {
	case 0:
		e.Page.Messages, e.Page.More = seen[max(0, len(seen)-limit):], len(seen) > limit
	case 1:
		q.Before = new(at + 1)
		seen = seen[:i]
		e.Page.Messages, e.Page.More = seen[max(0, len(seen)-limit):], len(seen) > limit
	case 2:
		q.After = &at
		m.forward(p, q, e.Page, seen[i:])
	case 3:
		q.Around = new(at + 1)
		from, to := max(0, i-limit/2), min(len(seen), i+limit-limit/2)
		e.Page.Messages, e.Page.More, e.Page.Newer = seen[from:to], from > 0, to < len(seen)
	}
	if q.User != "" && e.Page.More && len(e.Page.Messages) > 0 {
		e.Page.Next = e.Page.Messages[0].Seq
	}
	e.Page.Messages, e.Page.Mine = m.folded(p, e.Page.Messages)
	m.gets(p, e)
}

// seen are the messages that a page may have, as they were sent.
func (m *model) seen(p *person, q *rpc.HistoryParams) (seen []rpc.Message) {
	for _, s := range m.stood[q.Channel] {
		if s.VisibleTo(p.user) && (q.User == "" || s.User == q.User) {
			seen = append(seen, s)
		}
	}
	return seen
}

// forward answers a page after a position: as much as fits of messages and of changes
// of older ones, in the order of the log.
func (m *model) forward(p *person, q *rpc.HistoryParams, r *rpc.HistoryResult, seen []rpc.Message) {
	limit, end := *q.Limit, r.Asof
	for {
		r.Seq, r.Messages = end, nil
		for _, s := range seen {
			if s.Seq <= end {
				r.Messages = append(r.Messages, s)
			}
		}
		var next int64
		r.Changes, r.Reacted, next = m.missed(p, q.Channel, *q.After, end, limit-min(limit, len(r.Messages)))
		if n := len(r.Messages); next == 0 && n <= limit {
			return
		}
		r.More = true
		end--
	}
}
