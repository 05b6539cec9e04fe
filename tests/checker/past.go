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
	if now := ch.crowdAt(r.Seq); !now.lists(names(r.Members), r.Count) {
		c.violate(Members, s, ch.name, r.Seq, "the join's result lists %d: %v, the log has %d: %v, and maybe %v", r.Count, names(r.Members), len(now.users), now.users, now.maybe)
	}
	c.checkMute(s, ch, e)
	if clast := ch.clastAt(r.Seq); r.Clast != clast {
		c.violate(Seam, s, ch.name, r.Seq, "the join's result says that the newest public change is at %d, it is at %d", r.Clast, clast)
	}
	if r.Asof < r.Seq || r.Asof >= c.truth.end(ch.name) {
		c.violate(Genuine, s, ch.name, r.Seq, "the join's result is as of %d", r.Asof)
	}
	if !ch.settingsWithin(r.Settings, r.Seq, r.Asof) {
		c.violate(Settings, s, ch.name, r.Seq, "the join's result has the settings %s, the log has %s", text(r.Settings), text(ch.settingsAt(r.Seq)))
	}
	c.checkFolded(s, ch, r.Messages, r.Mine, r.Asof)
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
	most := len(missed) + len(ch.changesIn(s.user, since, r.Asof)) + len(ch.missedReactions(s.user, max(0, since-reactionsBefore), r.Asof, since))
	otherEpoch := e.Join.Epoch != c.Log.Epoch || since > r.Seq
	switch {
	case r.Recovered == nil:
		c.violate(Recovery, s, ch.name, r.Seq, "a join with since does not say whether it recovered")
	case *r.Recovered && (otherEpoch || !same(r.Messages, missed)):
		c.violate(Recovery, s, ch.name, r.Seq, "recovered %v since %d, the log has %v", seqs(r.Messages), since, seqsOf(missed))
	case *r.Recovered:
		c.checkMissed(s, ch, since, span{r.Seq, r.Asof, r.Asof}, r.Changes, r.Reacted, reactionsBefore)
	case otherEpoch != (r.Reason == rpc.ReasonEpoch):
		c.violate(Recovery, s, ch.name, r.Seq, "not recovered since %d of epoch %q, because of %q", since, e.Join.Epoch, r.Reason)
	case r.Reason == rpc.ReasonTooMany && most <= c.Recover:
		c.violate(Recovery, s, ch.name, r.Seq, "%d messages and changes since %d are too many", most, since)
	default:
		c.checkNewest(s, ch, e)
	}
}

// checkMembers checks that the list was the channel's at some time between
// what the session knew when it asked and the end.
func (c *check) checkMembers(s *session, p *place, e *Entry) {
	shown := names(e.Members.Members)
	first := indexAbove(p.ch.crowds, p.shown.before(e.Began), func(c crowd) int64 { return c.seq })
	for _, now := range p.ch.crowds[max(0, first-1):] {
		if now.lists(shown, e.Members.Count) {
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
