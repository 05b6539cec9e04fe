package checker

import (
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Lengths that the protocol states.
const (
	defaultLimit = 50
	firstMembers = 200
)

// newest are the newest n messages below to that user may see, oldest first,
// and whether there are older ones.
func (c *channel) newest(user string, to int64, n int) (found []*message, more bool) {
	for i := indexAbove(c.messages, to-1, func(m message) int64 { return m.seq }) - 1; i >= 0; i-- {
		m := &c.messages[i]
		if !m.visibleTo(user) {
			continue
		}
		if len(found) == n {
			more = true
			break
		}
		found = append(found, m)
	}
	slices.Reverse(found)
	return found, more
}

// checkResult checks the channel's state in a join's result against the log.
func (c *check) checkResult(s *session, ch *channel, e *Entry) {
	r := e.Joined
	if r.Epoch != c.Log.Epoch || r.Channel != ch.name || r.Partition != schema.PartitionOf(ch.name, len(c.Log.Partitions)) {
		c.violate(Genuine, s, ch.name, r.Seq, "the join's result is of channel %q, epoch %q, partition %d", r.Channel, r.Epoch, r.Partition)
	}
	if last := ch.lastAt(r.Seq); r.Last != last {
		c.violate(Seam, s, ch.name, r.Seq, "the join's result says that the newest public message is at %d, it is at %d", r.Last, last)
	}
	users := ch.crowdAt(r.Seq)
	if r.Count != len(users) || !slices.Equal(names(r.Members), users[:min(len(users), firstMembers)]) {
		c.violate(Members, s, ch.name, r.Seq, "the join's result lists %d: %v, the log has %d: %v", r.Count, names(r.Members), len(users), users)
	}
	for i := range r.Messages {
		c.genuine(s, &r.Messages[i])
	}
	if e.Join.Since == nil {
		c.checkNewest(s, ch, e)
		return
	}
	c.checkRecovery(s, ch, e)
}

// checkNewest checks a result that holds the newest messages.
func (c *check) checkNewest(s *session, ch *channel, e *Entry) {
	r := e.Joined
	want, more := ch.newest(s.user, r.Seq+1, limitOf(e.Join.Limit))
	switch {
	case r.Degraded:
		if n := len(want) - len(r.Messages); n < 0 || !same(r.Messages, want[n:]) || (n > 0 && !r.More) {
			c.violate(Seam, s, ch.name, r.Seq, "a degraded result does not hold the newest messages")
		}
	case !same(r.Messages, want):
		c.violate(Seam, s, ch.name, r.Seq, "the join's result holds %v, the newest messages are %v", seqs(r.Messages), seqsOf(want))
	case r.More != more:
		c.violate(Seam, s, ch.name, r.Seq, "the join's result says more: %t", r.More)
	}
}

// checkRecovery checks the result of a join with since.
func (c *check) checkRecovery(s *session, ch *channel, e *Entry) {
	r, since := e.Joined, *e.Join.Since
	missed := ch.visible(s.user, since, r.Seq+1)
	otherEpoch := e.Join.Epoch != c.Log.Epoch || since > r.Seq
	switch {
	case r.Recovered == nil:
		c.violate(Recovery, s, ch.name, r.Seq, "a join with since does not say whether it recovered")
	case *r.Recovered && (otherEpoch || !same(r.Messages, missed)):
		c.violate(Recovery, s, ch.name, r.Seq, "recovered %v since %d, the log has %v", seqs(r.Messages), since, seqsOf(missed))
	case *r.Recovered:
	case otherEpoch != (r.Reason == rpc.ReasonEpoch):
		c.violate(Recovery, s, ch.name, r.Seq, "not recovered since %d of epoch %q, because of %q", since, e.Join.Epoch, r.Reason)
	case r.Reason == rpc.ReasonTooMany && len(missed) <= c.Recover:
		c.violate(Recovery, s, ch.name, r.Seq, "%d messages since %d are too many", len(missed), since)
	default:
		c.checkNewest(s, ch, e)
	}
}

// checkPage checks a page of history: a stretch without a hole that reaches as
// far as the session knew when it asked.
func (c *check) checkPage(s *session, p *place, e *Entry) {
	for i := range e.Page.Messages {
		c.genuine(s, &e.Page.Messages[i])
	}
	if e.Page.Epoch != c.Log.Epoch {
		c.violate(Genuine, s, e.Channel, 0, "a page of epoch %q", e.Page.Epoch)
	}
	switch q := e.History; {
	case q.After != nil:
		c.checkAfter(s, p, e)
	case q.Around != nil:
		c.checkAround(s, p, e)
	default:
		c.checkBefore(s, p, e)
	}
}

func (c *check) checkBefore(s *session, p *place, e *Entry) {
	shown := e.Page.Messages
	end := p.known.before(e.Began) + 1
	if b := e.History.Before; b != nil {
		end = min(end, *b)
	}
	if n := len(shown); n > 0 {
		end = max(end, shown[n-1].Seq+1)
	}
	want, more := p.ch.newest(s.user, end, limitOf(e.History.Limit))
	if !same(shown, want) || e.Page.More != more {
		c.violate(Seam, s, e.Channel, end, "a page of history holds %v (more: %t), the log has %v (more: %t)", seqs(shown), e.Page.More, seqsOf(want), more)
	}
}

func (c *check) checkAfter(s *session, p *place, e *Entry) {
	shown, from := e.Page.Messages, *e.History.After
	all := p.ch.visible(s.user, from, c.truth.end(e.Channel))
	want := all[:min(len(all), limitOf(e.History.Limit), len(shown))]
	if !same(shown, want) {
		c.violate(Seam, s, e.Channel, from, "a page of history after it holds %v, the log has %v", seqs(shown), seqsOf(want))
		return
	}
	c.checkRest(s, p, e, all[len(want):], e.Page.More, len(want) < limitOf(e.History.Limit))
}

// checkRest checks what a forward page of history leaves out, and what it
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

// checkMembers checks that the list was the channel's at some time between
// what the session knew when it asked and the end.
func (c *check) checkMembers(s *session, p *place, e *Entry) {
	shown := names(e.Members.Members)
	first := indexAbove(p.ch.crowds, p.shown.before(e.Began), func(c crowd) int64 { return c.seq })
	for _, now := range p.ch.crowds[max(0, first-1):] {
		if e.Members.Count == len(now.users) && slices.Equal(shown, now.users[:min(len(now.users), firstMembers)]) {
			return
		}
	}
	c.violate(Members, s, e.Channel, p.shown.before(e.Began), "%d members are listed, %v, as at no time since", e.Members.Count, shown)
}

func limitOf(given *int) int {
	if given == nil {
		return defaultLimit
	}
	return *given
}

func names(members []rpc.Member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.User
	}
	return all
}

func seqs(messages []rpc.Message) []int64 {
	all := make([]int64, len(messages))
	for i := range messages {
		all[i] = messages[i].Seq
	}
	return all
}

func seqsOf(messages []*message) []int64 {
	all := make([]int64, len(messages))
	for i := range messages {
		all[i] = messages[i].seq
	}
	return all
}
