package checker

import (
	"cmp"
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

// reactionsBefore is how far before since a recovery may look for reactions: for as
// long they may be kept back.
const reactionsBefore = 4096

// span is where an answer ends: it has everything up to least, no change above
// listed, and the counts of reactions as of most or before.
type span struct{ least, listed, most int64 }

// checkFolded checks messages of an answer that is folded up to asof, and what the
// session's user reacts with to them.
func (c *check) checkFolded(s *session, ch *channel, messages []rpc.Message, mine []rpc.Mine, asof int64) {
	listed := map[int64][]string{}
	for _, m := range mine {
		names := slices.Clone(m.Names)
		slices.Sort(names)
		listed[m.Seq] = names
	}
	for i := range messages {
		c.genuine(s, &messages[i], asof)
		m := ch.messageAt(messages[i].Seq)
		if m == nil {
			continue
		}
		look := m.look(asof)
		if want := look.mine(s.user); !slices.Equal(listed[m.seq], want) {
			c.violate(Changes, s, ch.name, m.seq, "the user is told to react with %q as of %d, the log has %q", listed[m.seq], asof, want)
		}
		delete(listed, m.seq)
	}
	for seq := range listed {
		c.violate(Genuine, s, ch.name, seq, "own reactions to a message that is not in the answer")
	}
}

// checkMissed checks what an answer has of messages at or below since: every change
// after it up to the answer's end, and the reactions.
func (c *check) checkMissed(s *session, ch *channel, since int64, end span, shown []rpc.Change, reacted []rpc.Reacted, before int64) {
	want, optional := ch.missedChanges(s.user, since, end.listed)
	for i := range shown {
		c.listedChange(s, ch, &shown[i], end.most)
		if i > 0 && shown[i].Seq <= shown[i-1].Seq {
			c.violate(Recovery, s, ch.name, shown[i].Seq, "the changes are not in their order")
		}
		if !slices.ContainsFunc(want, func(is *change) bool { return is.seq == shown[i].Seq }) {
			c.violate(Recovery, s, ch.name, shown[i].Seq, "a change that was not missed since %d, up to %d", since, end.listed)
		}
	}
	for _, is := range want {
		listed := slices.ContainsFunc(shown, func(c rpc.Change) bool { return c.Seq == is.seq })
		if !listed && !optional[is.seq] && is.seq <= end.least {
			c.violate(Recovery, s, ch.name, is.seq, "a change is missing since %d: %s", since, text(is.asPush(ch.name)))
		}
	}
	c.checkMissedReactions(s, ch, since, end, reacted, before)
}

// listedChange checks a change of an answer as of a position: it is the log's, but an
// edit without its text where the message is deleted by then.
func (c *check) listedChange(s *session, ch *channel, shown *rpc.Change, asof int64) {
	is := ch.changeAt(shown.Seq)
	if is == nil || is.purge != nil || is.of.GetEdit() == nil || shown.Edit == nil {
		c.genuineChange(s, shown)
		return
	}
	m, full := ch.messageAt(is.of.Target), *shown
	if m != nil && m.look(asof).deleted != nil {
		if shown.Edit.Body != "" || shown.Edit.Type != nil || shown.Edit.Data != nil {
			c.violate(Private, s, ch.name, shown.Seq, "an edit is listed with its text as of %d, although its message is deleted", asof)
		}
		full.Edit = is.asPush(ch.name).Edit
	}
	c.genuineChange(s, &full)
}

func (c *check) checkMissedReactions(s *session, ch *channel, since int64, end span, reacted []rpc.Reacted, before int64) {
	may := ch.missedReactions(s.user, max(0, since-before), end.most, since)
	seen := map[int64][]string{}
	for _, r := range reacted {
		if _, twice := seen[r.Target]; twice {
			c.violate(Recovery, s, ch.name, r.Target, "reactions to one message are listed twice")
		}
		seen[r.Target] = []string{}
		m := ch.messageAt(r.Target)
		if m == nil || !m.visibleTo(s.user) {
			c.violate(Private, s, ch.name, r.Target, "reactions to a message that the user may not see, or that is not there")
			continue
		}
		for name, n := range r.Counts {
			seen[r.Target] = append(seen[r.Target], name)
			if !slices.Contains(may[r.Target], name) || !m.counted(name, n, end) {
				c.violate(Recovery, s, ch.name, r.Target, "since %d, up to %d, %d react with %q, the log has %v, of which changed: %q", since, end.most, n, name, m.shown(ch.name, end.most).Reactions, may[r.Target])
			}
		}
	}
	for target, names := range ch.missedReactions(s.user, since, end.least, since) {
		for _, name := range names {
			m := ch.messageAt(target)
			if m == nil {
				continue // which is found where the reaction is
			}
			if look := m.look(end.least); look.deleted == nil && !slices.Contains(seen[target], name) {
				c.violate(Recovery, s, ch.name, target, "the reaction %q is missing since %d", name, since)
			}
		}
	}
}

// counted reports whether n users react with a name somewhere within the span.
func (m *message) counted(name string, n int, within span) bool {
	look := m.look(within.most)
	if look.counts()[name] == n {
		return true
	}
	for i := range m.changes {
		if at := m.changes[i].seq; at > within.least && at <= within.most {
			if look = m.look(at - 1); look.counts()[name] == n {
				return true
			}
		}
	}
	return false
}

// settingsWithin reports whether settings are the channel's somewhere within the span.
func (c *channel) settingsWithin(s rpc.Settings, from, to int64) bool {
	if sameSettings(s, c.settingsAt(from)) {
		return true
	}
	for i := indexAbove(c.settings, from, seqOfSettings); i < len(c.settings) && c.settings[i].Seq <= to; i++ {
		if sameSettings(s, c.settings[i].Settings) {
			return true
		}
	}
	return false
}

// checkReactors checks that the list of who reacts was the message's at some time
// between what the session knew when it asked and the end.
func (c *check) checkReactors(s *session, p *place, e *Entry) {
	m, q := p.ch.messageAt(e.Reactions.Seq), e.Reactions
	if m == nil || !m.visibleTo(s.user) {
		c.violate(Private, s, e.Channel, q.Seq, "a list of who reacts is of a message that the user may not see, or that is not there")
		return
	}
	knew := p.shown.before(e.Began)
	if sameReactors(m, knew, q, e.Reactors) {
		return
	}
	for i := range m.changes {
		if m.changes[i].seq > knew && sameReactors(m, m.changes[i].seq, q, e.Reactors) {
			return
		}
	}
	c.violate(Changes, s, e.Channel, q.Seq, "who reacts is said to be %v (more: %t), as at no time since %d", e.Reactors.Users, e.Reactors.More, knew)
}

func sameReactors(m *message, seq int64, q *rpc.ReactionsParams, r *rpc.ReactionsResult) bool {
	look := m.look(seq)
	var all []rpc.UserReaction
	for is := range look.pairs {
		u := rpc.UserReaction{Name: is.name, User: is.user}
		if (q.Name == "" || q.Name == u.Name) && (q.After == nil || compareReactors(u, *q.After) > 0) {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, compareReactors)
	n := 200
	if q.Limit != nil {
		n = *q.Limit
	}
	return slices.Equal(r.Users, all[:min(n, len(all))]) && r.More == (len(all) > n)
}

func compareReactors(a, b rpc.UserReaction) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.User, b.User))
}

// checkPins checks that the pinned messages are those of some time since the session
// asked, without those that were deleted.
func (c *check) checkPins(s *session, p *place, e *Entry) {
	c.checkFolded(s, p.ch, e.Pins.Messages, e.Pins.Mine, e.Pins.Asof)
	pinned := func(at int64) bool {
		var want []int64
		for _, seq := range p.ch.settingsAt(at).Pins {
			if m := p.ch.messageAt(seq); m != nil && m.shown(e.Channel, e.Pins.Asof).Deleted == nil {
				want = append(want, seq)
			}
		}
		return slices.Equal(seqs(e.Pins.Messages), want)
	}
	knew := p.shown.before(e.Began)
	if pinned(knew) {
		return
	}
	for _, is := range p.ch.settings {
		if is.Seq > knew && pinned(is.Seq) {
			return
		}
	}
	c.violate(Settings, s, e.Channel, knew, "pinned are %v, as at no time since", seqs(e.Pins.Messages))
}

// checkGone checks that a message that an act was refused for is not there, was
// deleted some time, or is not the user's to see.
func (c *check) checkGone(s *session, p *place, e *Entry) {
	if e.Code != rpc.CodeGone || p == nil {
		return
	}
	target := int64(0)
	switch e.Op {
	case OpEdit:
		target = e.Edit.Seq
	case OpDelete:
		target = e.Delete.Seq
	case OpReact:
		target = e.React.Seq
	}
	m := p.ch.messageAt(target)
	if m != nil && m.visibleTo(s.user) && target <= p.shown.before(e.Began) && m.shown(e.Channel, c.truth.end(e.Channel)).Deleted == nil {
		c.violate(Changes, s, e.Channel, target, "%s is refused as if the message were gone", e.Op)
	}
}
