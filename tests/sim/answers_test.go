package sim

import (
	"slices"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/rpc"
)

// past compares what a join's result says of the time before it with the log.
func (c *client) past(p *rpc.JoinParams, ch *channel, j *rpc.JoinResult) {
	all := ch.at(j.Asof, ch.seen(c.user, 0, j.Seq))
	if p.Since != nil {
		missed := ch.at(j.Asof, ch.seen(c.user, *p.Since, j.Seq))
		most := len(missed) + len(ch.told(c.user, *p.Since, j.Asof)) + len(ch.reacted(c.user, 0, j.Asof, *p.Since))
		switch {
		case j.Recovered == nil, j.Reason == rpc.ReasonEpoch:
			c.w.fail("%s/%s: a join of %s since %d is not recovered: %s", c.user, c.session.id, j.Channel, *p.Since, j.Reason)
		case *j.Recovered:
			if !slices.EqualFunc(j.Messages, missed, sameMessage) || !j.More && len(missed) < len(all) {
				c.w.fail("%s/%s recovers %s, more %v, in %s since %d up to %d, want %s", c.user, c.session.id, show(j.Messages), j.More, j.Channel, *p.Since, j.Seq, show(missed))
			}
			c.missed(ch, *p.Since, j.Seq, j.Asof, j.Asof, j.Changes, j.Reacted)
			c.w.count("recovered")
			return
		case j.Reason == rpc.ReasonTooMany && most <= c.w.cfg.Limits.Recover:
			c.w.fail("%s/%s: too many in %s since %d: %s", c.user, c.session.id, j.Channel, *p.Since, show(missed))
		case j.Reason == rpc.ReasonUnavailable && !c.w.trouble:
			c.w.fail("%s/%s: recovery is unavailable although every read succeeded", c.user, c.session.id)
		}
		c.w.count("not recovered: " + j.Reason)
	}
	want := all[max(0, len(all)-*p.Limit):]
	more := len(want) < len(all)
	if j.Degraded {
		if !c.w.trouble {
			c.w.fail("%s/%s: degraded although every read succeeded", c.user, c.session.id)
		}
		c.w.count("degraded")
		want, more = want[max(0, len(want)-len(j.Messages)):], true
	}
	if !slices.EqualFunc(j.Messages, want, sameMessage) || j.More != more {
		c.w.fail("%s/%s joins %s at %d and gets %s, more %v, degraded %v, want %s, more %v",
			c.user, c.session.id, j.Channel, j.Seq, show(j.Messages), j.More, j.Degraded, show(want), more)
	}
}

// page takes an answer to history: it must be right at some position from the
// one that the session knows of on.
func (c *client) page(call *call, h *rpc.HistoryResult) {
	p := call.params.(rpc.HistoryParams)
	q := history.Query{Mode: history.Newest, Limit: *p.Limit}
	switch {
	case p.Before != nil:
		q.Mode, q.Before = history.Before, *p.Before
	case p.After != nil:
		q.Mode, q.After = history.After, *p.After
	case p.Around != nil:
		q.Mode, q.Around = history.Around, *p.Around
	}
	if p.User != "" {
		q.Author = p.User
	}
	if p.Reply != nil {
		q.Reply = *p.Reply
	}
	r, ch := c.rooms[call.channel], c.w.channel(call.channel)
	r.view.take(h.Messages, h.Changes, h.Reacted, h.Asof)
	if c.isPage(call, &q, ch, h) {
		c.w.count("history pages")
		return
	}
	c.w.fail("%s/%s asks for %s and gets %s; from %d on the log never has that: %s", c.user, c.session.id, text(p), text(h), call.least, show(ch.seen(c.user, 0, 1<<60)))
}

// isPage says whether an answer to history is the page as of some position from the
// one that the session knows of on.
func (c *client) isPage(call *call, q *history.Query, ch *channel, h *rpc.HistoryResult) bool {
	if h.Asof >= c.w.logOf(call.channel).end() {
		c.w.fail("%s/%s gets a page of %s as of %d, which is not there", c.user, c.session.id, call.channel, h.Asof)
	}
	c.checkMine(ch, h.Messages, h.Mine, h.Asof)
	forward := q.Mode == history.After && q.Author == "" && q.Reply == 0
	if forward {
		return c.isForward(call, q, ch, h)
	}
	for end := call.least; end < c.w.logOf(call.channel).end(); end++ {
		all := slices.DeleteFunc(ch.seen(c.user, 0, end), func(m rpc.Message) bool { return !wanted(q, &m) })
		want := page(q, all)
		if slices.EqualFunc(h.Messages, ch.at(h.Asof, want.Messages), sameMessage) && h.More == want.More && h.Newer == want.Newer {
			return true
		}
	}
	return false
}

// isForward says whether a page after a position has, up to its own seq, every message
// and every change of older ones, and as much of it as was asked for.
func (c *client) isForward(call *call, q *history.Query, ch *channel, h *rpc.HistoryResult) bool {
	want := ch.at(h.Asof, ch.seen(c.user, q.After, h.Seq))
	c.missed(ch, q.After, h.Seq, h.Seq, h.Asof, h.Changes, h.Reacted)
	n := len(h.Messages) + len(h.Changes) + len(h.Reacted)
	reaches := h.More || len(ch.seen(c.user, max(q.After, h.Seq), call.least)) == 0 && len(c.older(ch, q.After, h.Seq, call.least)) == 0
	return slices.EqualFunc(h.Messages, want, sameMessage) && n <= max(1, q.Limit) && reaches && (n > 0 || !h.More) && h.Seq <= max(q.After, h.Asof)
}

// older are the changes in (from, upTo] of messages at or below after that count.
func (c *client) older(ch *channel, after, from, upTo int64) []change {
	return slices.DeleteFunc(ch.told(c.user, from, upTo), func(x change) bool {
		return x.Purge == nil && x.Target > after || x.Purge != nil && !slices.ContainsFunc(ch.seen(c.user, 0, after), func(m rpc.Message) bool { return x.hits(&m) })
	})
}

// missed compares what an answer has of messages at or below since with the log: all
// changes up to least, none above most, and counts as of asof or before.
func (c *client) missed(ch *channel, since, least, most, asof int64, listed []rpc.Change, reacted []rpc.Reacted) {
	for _, x := range c.older(ch, since, since, least) {
		if !slices.ContainsFunc(listed, func(l rpc.Change) bool { return l.Seq == x.Seq }) {
			c.w.fail("%s/%s comes back since %d and is not told of the change at %d", c.user, c.session.id, since, x.Seq)
		}
	}
	may := ch.told(c.user, since, most)
	for _, l := range listed {
		if !slices.ContainsFunc(may, func(x change) bool { return sameChange(ch.asListed(x.Change, asof), l) }) {
			c.w.fail("%s/%s comes back since %d, up to %d, and gets %s, which the log does not have there", c.user, c.session.id, since, most, text(l))
		}
		c.w.count("changes recovered")
	}
	told := map[int64]map[string]int{}
	for _, r := range reacted {
		m := ch.message(r.Target)
		if m == nil || !m.VisibleTo(c.user) || r.Target > since || told[r.Target] != nil {
			c.w.fail("%s/%s gets reactions to %d, since %d", c.user, c.session.id, r.Target, since)
		}
		told[r.Target] = r.Counts
		for name, n := range r.Counts {
			if !ch.counted(r.Target, name, n, least, asof) {
				c.w.fail("%s/%s is told that %d react with %s to %d, as at no time from %d to %d", c.user, c.session.id, n, name, r.Target, least, asof)
			}
		}
		c.w.count("reactions recovered")
	}
	for target, names := range ch.reacted(c.user, since, least, since) {
		for _, name := range names {
			if _, is := told[target][name]; !is && ch.at(least, []rpc.Message{*ch.message(target)})[0].Deleted == nil {
				c.w.fail("%s/%s comes back since %d and is not told of reactions %s to %d", c.user, c.session.id, since, name, target)
			}
		}
	}
}

// asListed is a change as an answer as of a position has it: an edit of a message that is
// deleted by then has no text.
func (ch *channel) asListed(c rpc.Change, asof int64) rpc.Change {
	if m := ch.message(c.Target); c.Edit != nil && m != nil && folded(*m, ch.changes, asof).Deleted != nil {
		c.Edit = &rpc.Edit{}
	}
	return c
}

// counted says whether n users react with a name to a message at some position.
func (ch *channel) counted(target int64, name string, n int, from, to int64) bool {
	for at := from; at <= to; at++ {
		if ch.counts(target, at)[name] == n {
			return true
		}
	}
	return false
}

// checkMine compares what the user is told to react with, with the log.
func (c *client) checkMine(ch *channel, messages []rpc.Message, mine []rpc.Mine, asof int64) {
	var sent []rpc.Message
	for _, m := range messages {
		if is := ch.message(m.Seq); is != nil {
			sent = append(sent, *is)
		}
	}
	if want := ch.mine(c.user, asof, sent); text(mine) != text(want) {
		c.w.fail("%s/%s is told to react with %s as of %d, want %s", c.user, c.session.id, text(mine), asof, text(want))
	}
}
