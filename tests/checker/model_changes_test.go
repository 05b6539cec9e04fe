package checker

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

// structure gives a message what it may have besides its text.
func (m *model) structure(c *rpc.ChatParams) {
	if m.rng.IntN(6) == 0 {
		c.Type, c.Data = "poll", json.RawMessage(fmt.Sprintf(`{"n":%d}`, m.serial))
	}
	if m.rng.IntN(6) == 0 {
		c.Reply, c.Mentions = 1, []string{"user1", "user2"}
	}
}

// maySee reports whether a change may be shown to somebody.
func (m *model) maySee(p *person, e *Entry) bool {
	target := int64(0)
	switch {
	case e.Changed != nil:
		target = e.Changed.Target
	case e.Reacted != nil:
		target = e.Reacted.Target
	}
	sent := m.sent(e.Channel, target)
	return sent == nil || sent.VisibleTo(p.user)
}

// sent is a message as it was sent; nil for none.
func (m *model) sent(channel string, seq int64) *rpc.Message {
	i := slices.IndexFunc(m.stood[channel], func(s rpc.Message) bool { return s.Seq == seq })
	if i < 0 {
		return nil
	}
	return &m.stood[channel][i]
}

// state is what changes have made of a message.
func (m *model) state(s *rpc.Message) *changes.State {
	state, of := &changes.State{}, changes.Message{Seq: s.Seq, User: s.User}
	for i := range m.records[s.Channel] {
		if r := &m.records[s.Channel][i]; r.Hits(&of) {
			state.Add(&of, &r.Change)
		}
	}
	return state
}

// folded are messages as answers have them now, and a user's reactions to them.
func (m *model) folded(p *person, sent []rpc.Message) (all []rpc.Message, mine []rpc.Mine) {
	for _, s := range sent {
		state := m.state(&s)
		body, kind, data, edited := state.Text(s.Body, s.Type, string(s.Data))
		s.Body, s.Type, s.Data = body, kind, nil
		if data != "" {
			s.Data = json.RawMessage(data)
		}
		if edited != nil {
			s.Edited = &rpc.Edited{Seq: edited.Seq, Time: edited.Time}
		}
		for _, c := range state.Reactions() {
			s.Reactions = append(s.Reactions, rpc.Reaction{Name: c.Name, Count: c.Count})
		}
		if d := state.Deleted(); d != nil {
			s.Deleted = &rpc.Deleted{Seq: d.Seq, Time: d.Time, By: rpc.Author{User: d.User, Key: d.Key}, Reason: d.Reason}
			s.Reply, s.Mentions = 0, nil
		}
		if names := state.Mine(p.user); len(names) > 0 {
			mine = append(mine, rpc.Mine{Seq: s.Seq, Names: names})
		}
		all = append(all, s)
	}
	return all, mine
}

// missed is what happened in (since, to] to messages at or below since, at most limit
// entries of it; it ends before the one that does not fit, at next.
func (m *model) missed(p *person, channel string, since, to int64, limit int) (listed []rpc.Change, reacted []rpc.Reacted, next int64) {
	for i := range m.records[channel] {
		r := &m.records[channel][i]
		if r.Seq <= since || r.Seq > to || r.Target > since || !r.VisibleTo(p.user) {
			continue
		}
		k := slices.IndexFunc(reacted, func(x rpc.Reacted) bool { return x.Target == r.Target })
		if (r.React == nil || k < 0) && len(listed)+len(reacted) == limit {
			return listed, reacted, r.Seq
		}
		switch {
		case r.React == nil:
			c := shownChange(channel, r)
			if c.Edit != nil && m.state(m.sent(channel, r.Target)).Deleted() != nil {
				c.Edit = &rpc.Edit{}
			}
			listed = append(listed, c)
			continue
		case k < 0:
			k = len(reacted)
			reacted = append(reacted, rpc.Reacted{Target: r.Target, Counts: map[string]int{}})
		}
		reacted[k].Counts[r.React.Name] = m.count(channel, r.Target, r.React.Name)
	}
	return listed, reacted, 0
}

func (m *model) count(channel string, target int64, name string) int {
	for _, c := range m.state(m.sent(channel, target)).Reactions() {
		if c.Name == name {
			return c.Count
		}
	}
	return 0
}

func shownChange(channel string, r *changes.Record) rpc.Change {
	c := rpc.Change{Channel: channel, Seq: r.Seq, Target: r.Target, User: r.User, To: r.To, Time: r.Time, ID: r.ID}
	switch {
	case r.Edit != nil:
		c.Edit = &rpc.Edit{Body: r.Edit.Body, Type: r.Edit.Type}
		if r.Edit.Data != nil {
			c.Edit.Data = json.RawMessage(*r.Edit.Data)
		}
	case r.Delete != nil:
		c.Delete = &rpc.Deletion{Reason: r.Delete.Reason}
	default:
		c.User, c.By = "", &rpc.Author{User: r.User, Key: r.Key}
		c.Purge = &rpc.PurgeChange{User: r.Purge.User, Since: r.Purge.Since, Reason: r.Purge.Reason}
	}
	return c
}

// change changes a message, most often a recent one.
func (m *model) change(p *person) {
	channel := m.anyPlace(p)
	var seen []rpc.Message
	for _, s := range m.stood[channel] {
		if s.VisibleTo(p.user) && m.state(&s).Deleted() == nil {
			seen = append(seen, s)
		}
	}
	if len(seen) == 0 || m.silences(p, channel) {
		return
	}
	target := seen[max(0, len(seen)-1-m.rng.IntN(15))]
	switch n := m.rng.IntN(20); {
	case n < 6:
		m.edit(p, target)
	case n < 8:
		m.delete(p, target)
	case n < 18:
		m.react(p, target)
	case n == 18 && target.To == "":
		m.pin(p, target)
	case n == 19:
		m.purge(target)
	}
}

func (m *model) newID() string {
	m.serial++
	return fmt.Sprint("m", m.serial)
}

func (m *model) edit(p *person, target rpc.Message) {
	params := rpc.EditParams{Channel: target.Channel, Seq: target.Seq, ID: m.newID(), Body: fmt.Sprint("edited ", m.serial)}
	switch m.rng.IntN(4) {
	case 0:
		params.Type, params.Data = new(rpc.TypeText), json.RawMessage("null")
	case 1:
		params.Data = json.RawMessage("[1]")
	}
	m.makes(p, Entry{Op: OpEdit, Edit: &params}, target, params.ID, &schema.Change{Act: &schema.Change_Edit{Edit: &schema.Edit{Body: params.Body, Type: params.Type, Data: params.Data}}})
}

func (m *model) delete(p *person, target rpc.Message) {
	params := rpc.DeleteParams{Channel: target.Channel, Seq: target.Seq, ID: m.newID(), Reason: "off topic"}
	m.makes(p, Entry{Op: OpDelete, Delete: &params}, target, params.ID, &schema.Change{Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: params.Reason}}})
}

func (m *model) react(p *person, target rpc.Message) {
	params := rpc.ReactParams{Channel: target.Channel, Seq: target.Seq, ID: m.newID(), Name: []string{"+1", "heart", "eyes"}[m.rng.IntN(3)]}
	has := slices.Contains(m.state(&target).Mine(p.user), params.Name)
	if params.Remove = has; m.rng.IntN(5) == 0 {
		params.Remove = !has
	}
	e := Entry{Began: m.now, Op: OpReact, React: &params, Channel: target.Channel}
	if has != params.Remove {
		e.Outcome, e.Unchanged, e.Seq = OK, true, m.decided(p, &target, params.Name)
		m.gets(p, e)
		return
	}
	m.makes(p, e, target, params.ID, &schema.Change{Act: &schema.Change_React{React: &schema.React{Name: params.Name, Remove: params.Remove}}})
}

// decided is the newest reaction of a user with a name.
func (m *model) decided(p *person, target *rpc.Message, name string) (seq int64) {
	for _, r := range m.records[target.Channel] {
		if r.React != nil && r.User == p.user && r.Target == target.Seq && r.React.Name == name {
			seq = r.Seq
		}
	}
	return seq
}

// makes appends a change, now and then twice, and answers it.
func (m *model) makes(p *person, e Entry, target rpc.Message, id string, c *schema.Change) {
	c.Channel, c.Session, c.User, c.Id, c.Target, c.Author, c.To = target.Channel, p.id, p.user, id, target.Seq, target.User, target.To
	e.Channel, e.Began = target.Channel, m.now
	seq := m.happens(p, c)
	if m.rng.IntN(6) == 0 {
		unanswered := e
		unanswered.Outcome, unanswered.Code = Unknown, rpc.CodeUnavailable
		m.gets(p, unanswered)
		if again := m.happens(p, c); m.rng.IntN(2) == 0 {
			seq = again // as a retry may be answered that does not say that it is one
		}
	}
	e.Outcome, e.Seq = OK, seq
	m.gets(p, e)
}

// happens appends a change and shows it.
func (m *model) happens(p *person, c *schema.Change) int64 {
	key := actKey{c.Channel, c.User, c.Id}
	void := m.ids[key]
	m.ids[key] = true
	event := &schema.Event{Kind: &schema.Event_Change{Change: c}}
	seq := m.publish(p.at, c.Channel, event, void)
	if void {
		return seq
	}
	m.shows(c.Channel, seq, event)
	return seq
}

// shows has all in a channel hear of a change.
func (m *model) shows(channel string, seq int64, e *schema.Event) {
	r, _ := changes.Of(seq, e)
	m.records[channel] = append(m.records[channel], r)
	if r.React == nil {
		m.tell(channel, Entry{Op: PushChanged, Seq: seq, Changed: &rpc.ChangedPush{Change: shownChange(channel, &r), Cprev: m.clast[channel]}}, nil)
	} else {
		m.tell(channel, Entry{Op: PushReacted, Seq: seq, Reacted: &rpc.ReactedPush{
			Channel: channel, Seq: seq, Target: r.Target, To: r.To, Counts: map[string]int{r.React.Name: m.count(channel, r.Target, r.React.Name)},
			User: r.User, Name: r.React.Name, Remove: r.React.Remove,
		}}, nil)
	}
	if r.Link() {
		m.clast[channel] = seq
	}
}

// purge has a backend take away what somebody said.
func (m *model) purge(target rpc.Message) {
	since := target.Seq
	m.entries = append(m.entries, Entry{At: m.now, Op: OpPurge, Channel: target.Channel, Purge: &rpc.PurgeChange{User: target.User, Since: since}})
	e := &schema.Event{Kind: &schema.Event_Purge{Purge: &schema.Purge{
		Channel: target.Channel, User: target.User, Id: m.newID(), Since: since, By: &schema.Author{By: &schema.Author_Key{Key: "bot"}},
	}}}
	m.shows(target.Channel, m.publish(m.connectors[0], target.Channel, e, false), e)
}

func (m *model) pin(p *person, target rpc.Message) {
	now := m.settings[target.Channel]
	params := rpc.PinParams{Channel: target.Channel, Seq: target.Seq, ID: m.newID(), Remove: slices.Contains(now.Pins, target.Seq)}
	m.ids[actKey{target.Channel, p.user, params.ID}] = true
	seq := m.publish(p.at, target.Channel, &schema.Event{Kind: &schema.Event_Pin{Pin: &schema.Pin{
		Channel: target.Channel, By: &schema.Author{By: &schema.Author_User{User: p.user}}, Id: params.ID, Target: target.Seq, Remove: params.Remove,
	}}}, false)
	now.Seq, now.Time, now.By = seq, m.start.Add(m.now).UnixMilli(), &rpc.Author{User: p.user}
	now.Pins = slices.DeleteFunc(slices.Clone(now.Pins), func(s int64) bool { return s == target.Seq })
	if !params.Remove {
		now.Pins = append([]int64{target.Seq}, now.Pins...)
	}
	m.settings[target.Channel] = now
	m.tell(target.Channel, Entry{Op: PushSettings, Seq: seq, Settings: &rpc.SettingsPush{Channel: target.Channel, Settings: now}}, nil)
	m.gets(p, Entry{Began: m.now, Op: OpPin, Outcome: OK, Channel: target.Channel, Seq: seq, Pin: &params})
}

// listPins asks for what is pinned, or who reacts.
func (m *model) listPins(p *person) {
	channel := m.anyPlace(p)
	if channel == "" {
		return
	}
	var pinned []rpc.Message
	for _, seq := range m.settings[channel].Pins {
		if s := m.sent(channel, seq); m.state(s).Deleted() == nil {
			pinned = append(pinned, *s)
		}
	}
	messages, mine := m.folded(p, pinned)
	m.gets(p, Entry{Began: m.now, Op: OpPins, Outcome: OK, Channel: channel, Pins: &rpc.PinsResult{Messages: messages, Mine: mine, Asof: m.asof(channel)}})
}

// asof is the newest position of the channel's partition.
func (m *model) asof(channel string) int64 {
	records := m.log.Partitions[schema.PartitionOf(channel, modelPartitions)]
	return records[len(records)-1].Offset
}

// store fills in what a projector and ClickHouse make of the changes.
func (m *model) store(in *Input) {
	in.ChangeRows, in.Shown = []ChangeRow{}, []ShownRow{}
	for channel, records := range m.records {
		for _, r := range records {
			row := ChangeRow{
				Partition: int32(schema.PartitionOf(channel, modelPartitions)), Channel: channel, Target: r.Target, Seq: r.Seq,
				User: r.User, Key: r.Key, Author: r.Author, To: r.To, ID: r.ID, Time: r.Time,
			}
			switch {
			case r.Edit != nil:
				row.Action, row.Body = "edit", r.Edit.Body
				if r.Edit.Type != nil {
					row.Type = *r.Edit.Type
				}
				if r.Edit.Data != nil {
					row.Data = *r.Edit.Data
				}
			case r.Delete != nil:
				row.Action, row.Reason = "delete", r.Delete.Reason
			case r.React != nil:
				row.Action, row.Name, row.Removed = "react", r.React.Name, r.React.Remove
			default:
				row.Action, row.Author, row.Since, row.Reason = "purge", r.Purge.User, r.Purge.Since, r.Purge.Reason
			}
			in.ChangeRows = append(in.ChangeRows, row)
		}
		m.storeShown(in, channel)
	}
	for channel := range m.stood {
		if m.records[channel] == nil {
			m.storeShown(in, channel)
		}
	}
}

func (m *model) storeShown(in *Input, channel string) {
	messages, _ := m.folded(&person{}, m.stood[channel])
	for _, s := range messages {
		row := ShownRow{Channel: channel, Seq: s.Seq, Body: s.Body, Type: s.Type, Data: string(s.Data), Reply: s.Reply}
		if s.Edited != nil {
			row.Edited = s.Edited.Seq
		}
		if s.Deleted != nil {
			row.Deleted = s.Deleted.Seq
		}
		counts := map[string]int{}
		for _, r := range s.Reactions {
			counts[r.Name] = r.Count
		}
		row.Reactions = text(counts)
		in.Shown = append(in.Shown, row)
	}
}
