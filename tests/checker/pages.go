package checker

import "github.com/parley-chat/parley/schema/rpc"

// checkPage checks a page of history: a stretch without a hole that reaches as
// far as the session knew when it asked.
func (c *check) checkPage(s *session, p *place, e *Entry) {
	c.checkFolded(s, p.ch, e.Page.Messages, e.Page.Mine, e.Page.Asof)
	if e.Page.Epoch != c.Log.Epoch {
		c.violate(Genuine, s, e.Channel, 0, "a page of epoch %q", e.Page.Epoch)
	}
	switch q := e.History; {
	case q.After != nil && filters(q):
		c.checkFilteredAfter(s, p, e)
	case q.After != nil:
		c.checkAfter(s, p, e)
	case q.Around != nil:
		c.checkAround(s, p, e)
	default:
		c.checkBefore(s, p, e)
	}
}

// filters reports whether a page is of some messages alone.
func filters(q *rpc.HistoryParams) bool { return q.Reply != nil || q.User != "" }

// asked reports whether a page asks for the message, among others.
func asked(q *rpc.HistoryParams, m *message) bool {
	return (q.Reply == nil || m.chat.Reply == *q.Reply) && (q.User == "" || m.chat.User == q.User)
}

// pageOf are the newest messages of a page below end, oldest first, and whether there
// are older ones. from is where a filtered page ends early.
func (c *channel) pageOf(q *rpc.HistoryParams, user string, from, end int64, n int) (found []*message, more bool) {
	for _, m := range c.visible(user, max(0, from-1), end) {
		if asked(q, m) {
			found = append(found, m)
		}
	}
	if more = len(found) > n; more {
		found = found[len(found)-n:]
	}
	return found, more
}

func (c *check) checkBefore(s *session, p *place, e *Entry) {
	shown, q := e.Page.Messages, e.History
	end := p.known.before(e.Began) + 1
	if b := q.Before; b != nil {
		end = min(end, *b)
	}
	if n := len(shown); n > 0 {
		end = max(end, shown[n-1].Seq+1)
	}
	from := int64(0)
	if filters(q) && e.Page.More {
		from = e.Page.Next
	}
	want, more := p.ch.pageOf(q, s.user, from, end, limitOf(q.Limit))
	if from > 0 {
		more = true // it ended early
	}
	if !same(shown, want) || e.Page.More != more {
		c.violate(Seam, s, e.Channel, end, "a page of history holds %v (more: %t), the log has %v (more: %t)", seqs(shown), e.Page.More, seqsOf(want), more)
	}
}

// checkFilteredAfter checks a page of some messages after one.
func (c *check) checkFilteredAfter(s *session, p *place, e *Entry) {
	q, shown := e.History, e.Page.Messages
	end := p.known.before(e.Began) + 1
	if n := len(shown); n > 0 {
		end = max(end, shown[n-1].Seq+1)
	}
	if e.Page.More {
		end = e.Page.Next + 1
	}
	want, _ := p.ch.pageOf(q, s.user, *q.After+1, end, 1<<30)
	if !same(shown, want) || len(shown) > limitOf(q.Limit) {
		c.violate(Seam, s, e.Channel, *q.After, "a page of history after it holds %v (more: %t), the log has %v", seqs(shown), e.Page.More, seqsOf(want))
	}
}

// checkAfter checks a page after a position: up to its own seq it has every message,
// and every change of older ones.
func (c *check) checkAfter(s *session, p *place, e *Entry) {
	r, after, limit := e.Page, *e.History.After, limitOf(e.History.Limit)
	knew := p.known.before(e.Began)
	if r.Seq > max(after, r.Asof) || r.Asof >= c.truth.end(e.Channel) {
		c.violate(Genuine, s, e.Channel, r.Seq, "a page of history up to %d is as of %d", r.Seq, r.Asof)
	}
	if want := p.ch.visible(s.user, after, r.Seq+1); !same(r.Messages, want) {
		c.violate(Seam, s, e.Channel, after, "a page of history after it, up to %d, holds %v, the log has %v", r.Seq, seqs(r.Messages), seqsOf(want))
		return
	}
	c.checkMissed(s, p.ch, after, span{r.Seq, r.Seq, r.Asof}, r.Changes, r.Reacted, 0)
	n := len(r.Messages) + len(r.Changes) + len(r.Reacted)
	rest := p.ch.visible(s.user, max(after, r.Seq), c.truth.end(e.Channel))
	later := len(rest) > 0 || len(p.ch.changesIn(s.user, r.Seq, c.truth.end(e.Channel))) > 0 || len(p.ch.missedReactions(s.user, r.Seq, c.truth.end(e.Channel), after)) > 0
	switch {
	case n > limit && n > 1:
		c.violate(Seam, s, e.Channel, r.Seq, "a page of history has %d messages and changes, asked for are %d", n, limit)
	case !r.More && r.Seq < knew && c.known(s, p.ch, after, r.Seq, knew):
		c.violate(Seam, s, e.Channel, r.Seq, "a page of history ends before what was known at %d", knew)
	case r.More && !later:
		c.violate(Seam, s, e.Channel, r.Seq, "a page of history promises more than there is")
	case r.More && n == 0:
		c.violate(Seam, s, e.Channel, r.Seq, "a page of history is empty, with more to come")
	}
}

// known reports whether there is something in (from, to] that a page after since has.
func (c *check) known(s *session, ch *channel, since, from, to int64) bool {
	changes, optional := ch.missedChanges(s.user, since, to)
	for _, is := range changes {
		if is.seq > from && !optional[is.seq] {
			return true
		}
	}
	return len(ch.visible(s.user, max(since, from), to+1)) > 0 || len(ch.missedReactions(s.user, max(since, from), to, since)) > 0
}

// checkRest checks what the newer half of a page of history leaves out, and what it
// reports of that.
func (c *check) checkRest(s *session, p *place, e *Entry, rest []*message, more, short bool) {
	knew := p.known.before(e.Began)
	switch {
	case len(rest) > 0 && rest[0].seq <= knew && !more:
		c.violate(Seam, s, e.Channel, rest[0].seq, "a page of history ends before what was known at %d", knew)
	case len(rest) == 0 && more:
		c.violate(Seam, s, e.Channel, knew, "a page of history promises more than there is")
	case more && short:
		c.violate(Seam, s, e.Channel, knew, "a page of history is short, with more to come")
	}
}

func (c *check) checkAround(s *session, p *place, e *Entry) {
	shown, around, limit := e.Page.Messages, *e.History.Around, limitOf(e.History.Limit)
	end := p.known.before(e.Began) + 1
	if n := len(shown); n > 0 {
		end = max(end, shown[n-1].Seq+1)
	}
	want, more := p.ch.newest(s.user, min(around, end), limit/2)
	rest := p.ch.visible(s.user, around-1, c.truth.end(e.Channel))
	recent := max(0, min(len(shown)-len(want), len(rest), limit-limit/2))
	want = append(want, rest[:recent]...)
	if !same(shown, want) || e.Page.More != more {
		c.violate(Seam, s, e.Channel, around, "a page of history around it holds %v (more: %t), the log has %v (more: %t)", seqs(shown), e.Page.More, seqsOf(want), more)
		return
	}
	c.checkRest(s, p, e, rest[recent:], e.Page.Newer, recent < limit-limit/2)
}
