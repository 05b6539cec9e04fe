package checker

import (
	"cmp"
	"maps"
	"reflect"
	"slices"

	"github.com/parley-chat/parley/schema/rpc"
)

// timeline is what a client makes of one channel out of nothing but answers and
// pushes, by the rules that docs/protocol.md has for clients. It outlives the
// connection of its device.
type timeline struct {
	messages map[int64]*held
	heard    map[int64]rpc.Change // edits, deletions and purges, by seq
	reached  int64                // the join's position or that of the newest push
}

// held is a message in a timeline: as an answer or a push had it, and what was
// heard of its reactions.
type held struct {
	base    rpc.Message
	asof    int64
	counts  map[string]tally // by the name of the reaction
	unknown int64            // the newest push of reactions without counts
}

// tally is how many users react with a name, as of a position.
type tally struct {
	n   int
	seq int64
}

func newTimeline() *timeline {
	return &timeline{messages: map[int64]*held{}, heard: map[int64]rpc.Change{}}
}

// put takes a message as it is as of a position. What is known as of a later one
// stays.
func (t *timeline) put(m rpc.Message, asof int64) {
	h := t.messages[m.Seq]
	if h == nil {
		h = &held{counts: map[string]tally{}, asof: -1}
		t.messages[m.Seq] = h
	}
	if asof <= h.asof {
		return
	}
	h.base, h.asof = m, asof
	for name, is := range h.counts {
		if is.seq <= asof {
			delete(h.counts, name)
		}
	}
	for _, r := range m.Reactions {
		if _, later := h.counts[r.Name]; !later {
			h.counts[r.Name] = tally{r.Count, asof}
		}
	}
	if h.unknown <= asof {
		h.unknown = 0
	}
}

// react takes the counts of names as of a position.
func (t *timeline) react(target int64, counts map[string]int, seq int64) {
	h := t.messages[target]
	switch {
	case h == nil || seq <= h.asof:
		return
	case counts == nil:
		h.unknown = seq
		return
	}
	for name, n := range counts {
		if h.counts[name].seq <= seq {
			h.counts[name] = tally{n, seq}
		}
	}
}

// byTarget are the changes that were heard, ascending, by the message that they
// change; purges are under 0.
func (t *timeline) byTarget() map[int64][]rpc.Change {
	all := map[int64][]rpc.Change{}
	for _, seq := range slices.Sorted(maps.Keys(t.heard)) {
		c := t.heard[seq]
		all[c.Target] = append(all[c.Target], c)
	}
	return all
}

// view is a message with every change that was heard of it since.
func (h *held) view(heard map[int64][]rpc.Change) rpc.Message {
	m := h.base
	m.Reactions = nil
	of := slices.Concat(heard[m.Seq], heard[0])
	slices.SortFunc(of, func(a, b rpc.Change) int { return cmp.Compare(a.Seq, b.Seq) })
	for i := range of {
		if of[i].Seq > h.asof && m.Deleted == nil {
			applyTo(&m, &of[i])
		}
	}
	return m
}

// applyTo applies a change that is later than what the message says.
func applyTo(m *rpc.Message, c *rpc.Change) {
	switch {
	case c.Purge != nil && c.Purge.User == m.User && m.Seq >= c.Purge.Since && m.Seq < c.Seq:
		*m = emptied(m, &rpc.Deleted{Seq: c.Seq, Time: c.Time, By: *c.By, Reason: c.Purge.Reason})
	case c.Target != m.Seq:
	case c.Delete != nil:
		*m = emptied(m, &rpc.Deleted{Seq: c.Seq, Time: c.Time, By: rpc.Author{User: c.User}, Reason: c.Delete.Reason})
	case c.Edit != nil:
		m.Body, m.Edited = c.Edit.Body, &rpc.Edited{Seq: c.Seq, Time: c.Time}
		if c.Edit.Type != nil {
			m.Type = *c.Edit.Type
		}
		if c.Edit.Data != nil {
			m.Data = c.Edit.Data
		}
		*m = plain(*m)
	}
}

// emptied is what is left of a message that was deleted.
func emptied(m *rpc.Message, by *rpc.Deleted) rpc.Message {
	left := unchanging(*m)
	left.Deleted = by
	return left
}

// reactions are those of a message, but for those that are gone.
func (h *held) reactions() map[string]int {
	counts := map[string]int{}
	for name, is := range h.counts {
		if is.n != 0 {
			counts[name] = is.n
		}
	}
	return counts
}

// device is what keeps timelines from one session to the next.
type device struct {
	channels map[string]*timeline
}

// checkViews has each device make its timelines, and compares these with the log.
func (c *check) checkViews() {
	devices := map[string]*device{}
	for _, s := range c.sessions {
		d := devices[s.device]
		if d == nil {
			d = &device{channels: map[string]*timeline{}}
			devices[s.device] = d
		}
		for _, e := range s.entries {
			c.follow(s, d, e)
		}
		for _, name := range slices.SortedFunc(maps.Keys(d.channels), cmp.Compare) {
			c.compareView(s, name, d.channels[name], true)
		}
	}
}

// follow takes an entry into the device's timelines.
func (c *check) follow(s *session, d *device, e *Entry) {
	t := d.channels[e.Channel]
	switch {
	case e.Op == OpJoin && e.Outcome == OK && e.Joined != nil:
		c.followJoin(s, d, e)
	case t == nil:
	case e.Op == OpHistory && e.Outcome == OK && e.Page.Epoch == c.Log.Epoch:
		t.take(e.Page.Messages, e.Page.Changes, e.Page.Reacted, e.Page.Asof)
	case e.Op == OpPins && e.Outcome == OK:
		t.take(e.Pins.Messages, nil, nil, e.Pins.Asof)
	case e.Op == PushChat:
		t.put(e.Message.Message, e.Seq)
	case e.Op == PushChanged:
		t.heard[e.Seq] = e.Changed.Change
	case e.Op == PushReacted:
		t.react(e.Reacted.Target, e.Reacted.Counts, e.Seq)
	}
	if t != nil && e.Op.isPush() {
		t.reached = max(t.reached, e.Seq)
	}
}

// followJoin begins a timeline, or goes on with the one that is there.
func (c *check) followJoin(s *session, d *device, e *Entry) {
	r, t := e.Joined, d.channels[e.Channel]
	recovered := r.Recovered != nil && *r.Recovered
	if t == nil || !recovered {
		was := t
		t = newTimeline()
		if was != nil {
			t.heard = was.heard // what came while the join was open
		}
		d.channels[e.Channel] = t
	}
	t.take(r.Messages, r.Changes, r.Reacted, r.Asof)
	t.reached = max(t.reached, r.Seq)
	if recovered {
		c.compareView(s, e.Channel, t, false)
	}
}

// take takes an answer.
func (t *timeline) take(messages []rpc.Message, changes []rpc.Change, reacted []rpc.Reacted, asof int64) {
	for _, m := range messages {
		t.put(m, asof)
	}
	for _, is := range changes {
		t.heard[is.Seq] = is
	}
	for _, r := range reacted {
		t.react(r.Target, r.Counts, asof)
	}
}

// compareView compares what a client shows of a channel with the log, at the
// position up to which the client knows. Reactions come later, and are compared
// when the client has been told of everything.
func (c *check) compareView(s *session, name string, t *timeline, last bool) {
	ch := c.truth.channel(name)
	stay := ch.stayAt(s.id, t.reached)
	whole := last && c.Drained && s.end == nil && stay != nil && stay.to == 0
	heard := t.byTarget()
	for _, seq := range slices.Sorted(maps.Keys(t.messages)) {
		h, m := t.messages[seq], ch.messageAt(seq)
		if m == nil {
			continue // which is found where it was shown
		}
		at := max(t.reached, h.asof)
		if whole {
			at = c.truth.end(name)
		}
		want, view := m.shown(name, at), h.view(heard)
		counts := map[string]int{}
		for _, r := range want.Reactions {
			counts[r.Name] = r.Count
		}
		want.Reactions = nil
		if !reflect.DeepEqual(view, want) {
			c.violate(Changes, s, name, seq, "the client shows %s as of %d, the log has %s", text(view), at, text(want))
		}
		if !whole {
			continue
		}
		c.report.Figures.Changed++
		if view.Deleted == nil && h.unknown == 0 && !maps.Equal(h.reactions(), counts) {
			c.violate(Changes, s, name, seq, "the client shows the reactions %v, the log has %v", h.reactions(), counts)
		}
	}
}
