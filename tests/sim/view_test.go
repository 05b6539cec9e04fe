package sim

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

// view is what a client shows of a channel, by the rules of docs/protocol.md: the
// newest answer of each message, and the changes that it heard of.
type view struct {
	messages map[int64]*held
	heard    map[int64]change
	reacted  []reacted // heard, ascending
	joined   int64     // the highest seq of a join's result
}

// reacted are counts of reactions to a message, as of a position.
type reacted struct {
	target, seq int64
	counts      map[string]int
}

// held is a message as of a position, and what was heard of its reactions since.
type held struct {
	message rpc.Message
	asof    int64
	counts  map[string]int
	unknown bool // reactions came without counts since
}

func newView() *view { return &view{messages: map[int64]*held{}, heard: map[int64]change{}} }

func (v *view) put(m rpc.Message, asof int64) {
	if h := v.messages[m.Seq]; h != nil && h.asof >= asof {
		return
	}
	h := &held{message: m, asof: asof, counts: map[string]int{}}
	for _, r := range m.Reactions {
		h.counts[r.Name] = r.Count
	}
	v.messages[m.Seq] = h
	for _, r := range v.reacted { // which came while the answer was made
		if r.target == m.Seq {
			h.react(r.counts, r.seq)
		}
	}
}

// react takes counts as of a position. What was heard comes in its order.
func (v *view) react(target int64, counts map[string]int, seq int64) {
	if h := v.messages[target]; h != nil {
		h.react(counts, seq)
	}
}

func (h *held) react(counts map[string]int, seq int64) {
	if seq <= h.asof {
		return
	}
	h.unknown = h.unknown || counts == nil
	for name, n := range counts {
		if h.counts[name] = n; n == 0 {
			delete(h.counts, name)
		}
	}
}

func (v *view) take(messages []rpc.Message, changes []rpc.Change, reacted []rpc.Reacted, asof int64) {
	for _, m := range messages {
		v.put(m, asof)
	}
	for _, c := range changes {
		v.heard[c.Seq] = change{Change: c}
	}
	for _, r := range reacted {
		v.react(r.Target, r.Counts, asof)
	}
}

// viewed takes a join's result into the view, which starts again unless everything was
// recovered, and compares it with the log.
func (c *client) viewed(p *rpc.JoinParams, r *room, ch *channel, j *rpc.JoinResult) {
	if want := ch.clast(j.Seq); j.Clast != want {
		c.w.fail("%s/%s joins %s at %d: clast is %d, want %d", c.user, c.session.id, j.Channel, j.Seq, j.Clast, want)
	}
	if j.Asof < j.Seq || j.Asof >= c.w.logOf(j.Channel).end() {
		c.w.fail("%s/%s joins %s at %d as of %d", c.user, c.session.id, j.Channel, j.Seq, j.Asof)
	}
	if !sameSettings(j.Settings, ch.settingsAt(j.Seq)) && !sameSettings(j.Settings, ch.settingsAt(j.Asof)) {
		c.w.fail("%s/%s joins %s at %d: settings %s, want %s", c.user, c.session.id, j.Channel, j.Seq, text(j.Settings), text(ch.settingsAt(j.Seq)))
	}
	c.checkMine(ch, j.Messages, j.Mine, j.Asof)
	if j.Seq < r.view.joined {
		return // the answer to a join of an earlier stay, which comes late
	}
	if recovered := j.Recovered != nil && *j.Recovered; !recovered {
		heard, reacted := r.view.heard, r.view.reacted
		r.view = newView()
		r.view.heard, r.view.reacted = heard, reacted
	}
	r.view.joined = j.Seq
	r.view.take(j.Messages, j.Changes, j.Reacted, j.Asof)
	c.compareView(j.Channel, r, ch, j.Seq, false)
}

// compareView compares what the client shows with the log at a position up to which
// everything was told; of reactions in the end alone, as they come later.
func (c *client) compareView(name string, r *room, ch *channel, at int64, last bool) {
	for _, seq := range slices.Sorted(maps.Keys(r.view.messages)) {
		h, sent := r.view.messages[seq], ch.message(seq)
		if sent == nil {
			c.w.fail("%s/%s shows a message at %d of %s, which the log does not have", c.user, c.session.id, seq, name)
		}
		upTo := max(at, h.asof)
		want := ch.at(upTo, []rpc.Message{*sent})[0]
		counts := ch.counts(seq, upTo)
		shown := h.message
		heard := slices.DeleteFunc(slices.Collect(maps.Values(r.view.heard)), func(x change) bool { return x.Seq <= h.asof })
		if shown.Deleted == nil {
			shown = folded(shown, heard, upTo)
		}
		if want.Deleted == nil && folded(*sent, ch.changes, c.w.logOf(name).end()).Deleted != nil {
			continue // edits may be listed without their text before the deletion is
		}
		want.Reactions, shown.Reactions = nil, nil
		if !sameMessage(shown, want) {
			c.w.fail("%s/%s shows in %s, as of %d and %d: %s, want %s", c.user, c.session.id, name, at, h.asof, text(shown), text(want))
		}
		if last && shown.Deleted == nil && !h.unknown && !maps.Equal(h.counts, counts) {
			c.w.fail("%s/%s shows the reactions %v to %d of %s, want %v", c.user, c.session.id, h.counts, seq, name, counts)
		}
		if last && h.unknown {
			c.w.count("reactions unknown in the end")
		}
	}
	c.w.count("views compared")
}

// heardChanges holds that every change up to a position was heard, and the settings
// and sanctions.
func (c *client) heardChanges(r *room, ch *channel, upTo int64) {
	if missed := ch.told(c.user, r.changed, upTo); len(missed) > 0 {
		c.w.fail("%s/%s is at %d and has never heard of the change %s", c.user, c.session.id, upTo, text(missed[0].Change))
	}
	for _, s := range ch.settings {
		if s.Seq > r.set && s.Seq <= upTo {
			c.w.fail("%s/%s is at %d and has never heard of the settings at %d", c.user, c.session.id, upTo, s.Seq)
		}
	}
	c.heardSanctions(r, ch, upTo)
}

// hearsChange takes a change: it must be the next one of the log that the user may
// see.
func (c *client) hearsChange(p *rpc.ChangedPush) {
	r, ch := c.room(p.Channel, p.Seq)
	c.heardSanctions(r, ch, p.Seq)
	next := ch.told(c.user, r.changed, p.Seq)
	if len(next) != 1 || !sameChange(next[0].Change, p.Change) {
		c.w.fail("%s/%s hears of the change %s after %d; the log has %d there", c.user, c.session.id, text(p), r.changed, len(next))
	}
	if p.Cprev != next[0].prev {
		c.w.fail("%s/%s hears of the change at %d of %s, which follows %d, not %d", c.user, c.session.id, p.Seq, p.Channel, next[0].prev, p.Cprev)
	}
	r.changed = p.Seq
	r.view.heard[p.Seq] = change{Change: p.Change}
	c.w.count("changes heard")
}

// hearsReaction takes counts of reactions, which are those at the push's position.
func (c *client) hearsReaction(p *rpc.ReactedPush) {
	r, ch := c.room(p.Channel, p.Seq)
	c.heardChanges(r, ch, p.Seq)
	m := ch.message(p.Target)
	if m == nil || !m.VisibleTo(c.user) || m.To != p.To {
		c.w.fail("%s/%s hears of reactions to %d of %s, which is not to be seen", c.user, c.session.id, p.Target, p.Channel)
	}
	counts := ch.counts(p.Target, p.Seq)
	for name, n := range p.Counts {
		if counts[name] != n {
			c.w.fail("%s/%s hears at %d that %d react with %s to %d of %s, want %d", c.user, c.session.id, p.Seq, n, name, p.Target, p.Channel, counts[name])
		}
	}
	if p.Counts == nil {
		c.w.count("reactions heard without counts")
	}
	r.view.reacted = append(r.view.reacted, reacted{p.Target, p.Seq, p.Counts})
	r.view.react(p.Target, p.Counts, p.Seq)
	c.w.count("reactions heard")
}

func (c *client) hearsSettings(p *rpc.SettingsPush) {
	r, ch := c.room(p.Channel, p.Seq)
	want := ch.settingsAt(p.Seq)
	if want.Seq != p.Seq || !sameSettings(want, p.Settings) {
		c.w.fail("%s/%s hears of the settings %s of %s, want %s", c.user, c.session.id, text(p), p.Channel, text(want))
	}
	for _, s := range ch.settings {
		if s.Seq > r.set && s.Seq < p.Seq {
			c.w.fail("%s/%s hears of settings at %d and not of those at %d", c.user, c.session.id, p.Seq, s.Seq)
		}
	}
	r.set = p.Seq
	c.w.count("settings heard")
}

// ack is the answer to an act.
type ack struct {
	rpc.ActResult
	Repeat bool
}

// acked takes the acknowledgement of an act: it is in the log, and a retry that says
// so is told where it stands.
func (c *client) acked(call *call, r *room, x *ack) {
	l, id := c.w.logOf(call.channel), idOf(call.params)
	act := call.channel + "\x00" + c.user + "\x00" + id
	stands := func(r record) bool { return r.event != nil && !r.void && actOf(r.event) == act }
	p, isReact := call.params.(rpc.ReactParams)
	switch {
	case x.Unchanged:
		if !isReact || !l.channels[call.channel].unchanged(c.user, &p, x.Seq) {
			c.w.fail("%s: %s %s changes nothing as of %d, where the log has no such reaction", c.user, call.method, text(call.params), x.Seq)
		}
		c.w.count("reactions without effect")
		return
	case x.Repeat:
		if x.ID != id || !isRetry(call.params) || !slices.ContainsFunc(l.records, stands) {
			c.w.fail("%s: %s %s is said to be a repeat, of which the log has nothing", c.user, call.method, id)
		}
		c.w.count("repeats without a seq")
		return
	}
	found := x.Seq > 0 && x.Seq < l.end() && l.records[x.Seq].event != nil && actOf(l.records[x.Seq].event) == act
	switch {
	case !found || x.ID != id:
		c.w.fail("%s: %s %s is acknowledged at %d, where the log does not have it", c.user, call.method, id, x.Seq)
	case isRetry(call.params) && !stands(l.records[x.Seq]):
		repeats := func(r record) bool { return r.event != nil && actOf(r.event) == act }
		if !slices.ContainsFunc(l.records[max(0, x.Seq-voidWindow):x.Seq], repeats) {
			c.w.count("retries told of a producer's repeat") // whose first is out of reach
			break
		}
		c.w.fail("%s: a retry of %s %s is acknowledged at %d, which is void", c.user, call.method, id, x.Seq)
	case isRetry(call.params):
		c.w.count("retries told where they stand")
	}
	c.checkDone(call, x.Seq)
	r.acked = max(r.acked, x.Seq)
	c.w.count("acknowledged: " + call.method)
}

func isRetry(params any) bool { return text(params) == text(retried(params)) }

// unchanged says whether the reaction at a position makes another one useless.
func (ch *channel) unchanged(user string, p *rpc.ReactParams, seq int64) bool {
	if seq == 0 {
		return p.Remove
	}
	return slices.ContainsFunc(ch.changes, func(x change) bool {
		return x.Seq == seq && x.react != nil && x.User == user && x.Target == p.Seq && x.react.Name == p.Name && x.react.Remove == p.Remove
	})
}

func idOf(params any) string {
	var p struct{ ID string }
	b, err := json.Marshal(params)
	if err != nil || json.Unmarshal(b, &p) != nil {
		return ""
	}
	return p.ID
}

// isGone takes the answer that a message is gone, which tells nothing of why.
func (c *client) isGone(call *call) {
	var p struct{ Seq int64 }
	c.decode([]byte(text(call.params)), &p)
	ch := c.w.channel(call.channel)
	m := ch.message(p.Seq)
	if m != nil && m.VisibleTo(c.user) && p.Seq <= call.seen && ch.at(1<<60, []rpc.Message{*m})[0].Deleted == nil && (call.method != rpc.MethodPin || m.To == "") {
		c.w.fail("%s/%s: %s of %d in %s is refused as if it were gone", c.user, c.session.id, call.method, p.Seq, call.channel)
	}
}

// pins takes an answer to pins, which must be right at some position.
func (c *client) pins(call *call, x *rpc.PinsResult) {
	ch := c.w.channel(call.channel)
	c.rooms[call.channel].view.take(x.Messages, nil, nil, x.Asof)
	c.checkMine(ch, x.Messages, x.Mine, x.Asof)
	for at := call.seen; at < c.w.logOf(call.channel).end(); at++ {
		var want []rpc.Message
		for _, seq := range ch.settingsAt(at).Pins {
			if m := ch.message(seq); m != nil {
				want = append(want, ch.at(x.Asof, []rpc.Message{*m})...)
			}
		}
		want = slices.DeleteFunc(want, func(m rpc.Message) bool { return m.Deleted != nil })
		if slices.EqualFunc(x.Messages, want, sameMessage) {
			c.w.count("pins listed")
			return
		}
	}
	c.w.fail("%s/%s is told that %s are pinned in %s, as at no time", c.user, c.session.id, show(x.Messages), call.channel)
}

// reactors takes an answer to reactions, which must be right at some position.
func (c *client) reactors(call *call, x *rpc.ReactionsResult) {
	p, ch := call.params.(rpc.ReactionsParams), c.w.channel(call.channel)
	m := ch.message(p.Seq)
	if m == nil || !m.VisibleTo(c.user) {
		c.w.fail("%s/%s is told who reacts to %d of %s", c.user, c.session.id, p.Seq, call.channel)
	}
	for at := call.seen; at < c.w.logOf(call.channel).end(); at++ {
		var want []string
		for _, r := range deciding(m, ch.changes, at) {
			want = append(want, r.react.Name+"\x00"+r.User)
		}
		if ch.at(at, []rpc.Message{*m})[0].Deleted != nil {
			want = nil
		}
		slices.Sort(want)
		var got []string
		for _, u := range x.Users {
			got = append(got, u.Name+"\x00"+u.User)
		}
		if slices.Equal(got, want) && !x.More {
			c.w.count("reactors listed")
			return
		}
	}
	c.w.fail("%s/%s is told that %v react to %d of %s, as at no time", c.user, c.session.id, x.Users, p.Seq, call.channel)
}

// sameSettings compares settings; null says as much as nothing.
func sameSettings(a, b rpc.Settings) bool {
	plain := func(s rpc.Settings) string {
		if string(s.Data) == "null" {
			s.Data = nil
		}
		return text(s)
	}
	return plain(a) == plain(b)
}

// sameChange compares changes. To take away what an edit has may be said in two ways.
func sameChange(a, b rpc.Change) bool {
	plain := func(c rpc.Change) string {
		if c.Edit != nil {
			edit := *c.Edit
			if edit.Data != nil && len(edit.Data) == 0 {
				edit.Data = json.RawMessage("null")
			}
			if edit.Type != nil && *edit.Type == "" {
				edit.Type = new(rpc.TypeText)
			}
			c.Edit = &edit
		}
		return text(c)
	}
	return plain(a) == plain(b)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
