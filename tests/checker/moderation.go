package checker

import (
	"reflect"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// told reports whether a session hears of a sanction: its user is concerned, or it
// moderates.
func (s *session) told(is *sanctioned) bool { return s.moderates || is.of.User == s.user }

// pushedSanction takes a sanctioned push: it must be the next one of the log that the
// session hears of.
func (c *check) pushedSanction(s *session, p *place, e *Entry) {
	if !c.mayBePushed(s, p, e) {
		return
	}
	p.learn(e.At, e.Seq)
	p.highest = max(p.highest, e.Seq)
	if !s.moderates && e.Sanctioned.User != s.user {
		c.violate(Private, s, e.Channel, e.Seq, "told of a sanction of %s, and does not moderate", e.Sanctioned.User)
	}
	c.skipSanctions(s, p, e.Seq)
	if p.sanctions == len(p.ch.sanctions) || !reflect.DeepEqual(p.ch.sanctions[p.sanctions].asPush(e.Channel), *e.Sanctioned) {
		c.violate(Sanctions, s, e.Channel, e.Seq, "a sanction is said to be %s, which the log does not have", text(e.Sanctioned))
		return
	}
	p.sanctions++
}

// skipSanctions moves the place on to seq. What the session hears of and lies before
// it is lost.
func (c *check) skipSanctions(s *session, p *place, seq int64) {
	for ; p.sanctions < len(p.ch.sanctions) && p.ch.sanctions[p.sanctions].seq < seq; p.sanctions++ {
		if is := &p.ch.sanctions[p.sanctions]; s.told(is) {
			c.violate(Sanctions, s, p.ch.name, is.seq, "it was never told of %s", text(is.asPush(p.ch.name)))
		}
	}
}

// removed takes a removed push: a kick or a ban has ended the stay, of which the
// session has heard everything.
func (c *check) removed(s *session, p *place, e *Entry) {
	r := e.Removed
	if p == nil {
		c.violate(Sanctions, s, e.Channel, e.Seq, "told that it is out of a channel that it is not in")
		return
	}
	want := rpc.RemovedPush{Channel: e.Channel, Seq: p.stay.to, Reason: reasonName(p.stay.reason)}
	if ban := p.ch.newestOf(s.user, p.stay.to); ban != nil && ban.of.Action == schema.Sanction_ACTION_BAN {
		want.Until = ban.of.Until
	}
	if !p.stay.forced || *r != want {
		c.violate(Sanctions, s, e.Channel, e.Seq, "told that it is out: %s, the log has its stay until %d (%v, by a sanction: %t)", text(r), p.stay.to, p.stay.reason, p.stay.forced)
	}
	c.finishForced(s, p)
}

// finishForced checks that a session heard of the event that put it out, too.
func (c *check) finishForced(s *session, p *place) {
	if p.stay.forced {
		c.skipSanctions(s, p, p.stay.to+1)
		c.skipChanges(s, p, p.stay.to+1, func(int64) Rule { return Complete })
	}
	c.finish(s, p, true)
}

// checkTold checks that a stay that was not heard to end was not ended by a sanction.
func (c *check) checkTold(s *session, p *place) {
	if p.stay.forced {
		c.violate(Sanctions, s, p.ch.name, p.stay.to, "it was never told that it is out (%v)", p.stay.reason)
	}
}

// checkMute checks what a join's result says of a mute of its user.
func (c *check) checkMute(s *session, ch *channel, e *Entry) {
	r := e.Joined
	at, _ := c.truth.at(ch.name, r.Seq)
	now := c.Start.Add(e.At).UnixMilli()
	mute := ch.muteOf(s.user, r.Seq)
	switch {
	case r.Sanction == nil && at.Event != nil && mute.sure(max(now, at.Event.Time)):
		c.violate(Sanctions, s, ch.name, r.Seq, "the join's result does not say that the user is muted since %d", mute.seq)
	case r.Sanction != nil && (mute == nil || *r.Sanction != mute.shown(s.user, rpc.SanctionMute)):
		c.violate(Sanctions, s, ch.name, r.Seq, "the join's result says %s, the log has %v", text(r.Sanction), mute)
	}
	if stay := ch.stayAt(s.id, r.Seq); stay != nil && stay.sight == hidden {
		c.violate(Bound, s, ch.name, r.Seq, "a banned user has joined")
	}
}

// checkSilence checks that nothing was taken of who had been told, by any push, of what
// came after their mute, or after the freeze.
func (c *check) checkSilence(s *session, p *place, e *Entry) {
	at, found := c.truth.at(e.Channel, e.Seq)
	if !found || at.void || !writes(at.Event) {
		return
	}
	knew := p.shown.before(e.Began)
	if e.Seq <= knew {
		return // it stood by then
	}
	if p.ch.silenced(s.user, knew, e.Seq, max(at.Event.Time, c.Start.Add(e.At).UnixMilli())) {
		c.violate(Bound, s, e.Channel, e.Seq, "%s is taken from a muted user, who knew the channel up to %d", e.Op, knew)
	}
	if !s.moderates && p.ch.frozen(knew, e.Seq) {
		c.violate(Bound, s, e.Channel, e.Seq, "%s is taken in a frozen channel, known up to %d", e.Op, knew)
	}
}

// writes reports whether a mute stops the event.
func writes(e *schema.Event) bool {
	return e.GetChat() != nil || e.GetChange() != nil && e.GetChange().GetDelete() == nil
}

// checkRefused checks that who was refused because of a sanction may have been under it:
// at no time that is known of, on whatever connector, may that be said of who never was.
func (c *check) checkRefused(s *session, e *Entry) {
	if e.Code != rpc.CodeSanctioned {
		return
	}
	ch, barred := c.truth.channel(e.Channel), false
	for i := range ch.sanctions {
		is := &ch.sanctions[i]
		barred = barred || is.of.User == s.user && (e.Op == OpJoin || is.mute != nil || is.ban != nil)
	}
	frozen := func(x rpc.SettingsPush) bool { return x.Frozen }
	if barred || !s.moderates && slices.ContainsFunc(ch.settings, frozen) {
		return
	}
	c.violate(Sanctions, s, e.Channel, 0, "%s is refused as if its user were sanctioned", e.Op)
}

// checkSanctions checks that a list of sanctions is that of some time between what the
// session knew when it asked and the end.
func (c *check) checkSanctions(s *session, p *place, e *Entry) {
	knew := p.known.before(e.Began)
	same := func(seq int64) bool { return slices.Equal(p.ch.asList(seq), e.Sanctions.Sanctions) }
	if e.Sanctions.More || same(knew) {
		return
	}
	for _, is := range p.ch.sanctions {
		if is.seq > knew && same(is.seq) {
			return
		}
	}
	c.violate(Sanctions, s, e.Channel, knew, "the sanctions are listed as %s, as at no time since", text(e.Sanctions.Sanctions))
}

// checkSanctionState compares a fold's sanctions with those of the log.
func (c *check) checkSanctionState(partition int, records []fold.Record) {
	have := map[[2]string]*schema.StateSanction{}
	for _, r := range records {
		if name, user, is := schema.StateSanctionOf(r.Key); is && r.Value != nil {
			s := new(schema.StateSanction)
			if err := proto.Unmarshal(r.Value, s); err != nil {
				c.violate(Fold, nil, name, 0, "the fold's sanction of %s: %v", user, err)
			}
			have[[2]string{name, user}] = s
		}
	}
	for _, ch := range c.truth.channels {
		if c.truth.partitionOf(ch.name) != partition {
			continue
		}
		for i := range ch.sanctions {
			user := ch.sanctions[i].of.User
			newest := ch.newestOf(user, c.truth.end(ch.name))
			want := &schema.StateSanction{Mute: newest.mute.proto(), Ban: newest.ban.proto()}
			is := have[[2]string{ch.name, user}]
			if none := newest.mute == nil && newest.ban == nil; none != (is == nil) || !none && !proto.Equal(is, want) {
				c.violate(Fold, nil, ch.name, newest.seq, "the fold has the sanction %v of %s, the log has %v", is, user, want)
			}
		}
	}
}

func (r *restriction) proto() *schema.InForce {
	if r == nil {
		return nil
	}
	return &schema.InForce{Seq: r.seq, Until: r.until, By: r.by, Reason: r.reason}
}
