package checker

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func (m *model) enter(user string) *person {
	m.serial++
	p := &person{id: fmt.Sprint("s", m.serial), user: user, device: m.freeDevice(user), at: m.connectors[m.rng.IntN(len(m.connectors))], places: map[string]bool{}, hidden: map[string]bool{}}
	m.sessions = append(m.sessions, p)
	m.note(p, Entry{Began: m.now, Op: OpHello, Outcome: OK, Connector: p.at.id, Moderates: p.moderates()})
	return p
}

// freeDevice is a device of the user's that is not connected.
func (m *model) freeDevice(user string) string {
	for i := m.rng.IntN(2); ; i++ {
		name := fmt.Sprint(user, "/", i)
		if !slices.ContainsFunc(m.sessions, func(p *person) bool { return p.device == name }) {
			return name
		}
	}
}

// tell sends everybody in a channel a push.
func (m *model) tell(channel string, e Entry, but *person) {
	e.Channel = channel
	for _, p := range m.in(channel) {
		if p != but && !p.hidden[channel] && (e.Message == nil || e.Message.VisibleTo(p.user)) && m.maySee(p, &e) {
			m.gets(p, e)
		}
	}
}

// in are the sessions in a channel, in a fixed order.
func (m *model) in(channel string) []*person {
	return slices.SortedFunc(maps.Keys(m.members[channel]), func(a, b *person) int { return cmp.Compare(a.id, b.id) })
}

func (m *model) join(p *person, channel string) {
	if p.places[channel] || p.hidden[channel] {
		return
	}
	began := m.now
	params := rpc.JoinParams{Channel: channel}
	if m.rng.IntN(2) == 0 {
		params.Limit = new(m.rng.IntN(8))
	}
	if since, ok := m.since[actKey{channel: channel, user: p.device}]; ok && m.rng.IntN(3) > 0 {
		params.Since, params.Epoch = &since, "e1"
	}
	seq := m.publish(p.at, channel, &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{
		Channel: channel, Session: p.id, User: p.user, PushPartition: 1,
	}}}, false)
	if ban := m.stands(channel, p.user).ban; ban.lasts(m) {
		m.refuseBanned(p, channel, began, params)
		return
	}
	p.places[channel] = true
	m.members[channel][p] = true
	if m.users[channel][p.user]++; m.users[channel][p.user] == 1 {
		m.tell(channel, Entry{Op: PushJoined, Seq: seq, Who: p.user}, p)
	}
	m.gets(p, Entry{Began: began, Op: OpJoin, Outcome: OK, Channel: channel, Seq: seq, Join: &params, Joined: m.result(p, channel, seq, params)})
	m.settleGhosts(p, channel)
}

// settleGhosts lets cut sessions of a user who is back leave at once.
func (m *model) settleGhosts(p *person, channel string) {
	for _, other := range m.in(channel) {
		if other != p && other.gone && other.user == p.user && slices.Contains(m.connectors, other.at) {
			m.depart(other, channel, schema.Reason_REASON_DISCONNECT)
		}
	}
}

func (m *model) result(p *person, channel string, seq int64, params rpc.JoinParams) *rpc.JoinResult {
	r := &rpc.JoinResult{
		Channel: channel, Epoch: "e1", Seq: seq, Last: m.last[channel], Count: len(m.users[channel]), Asof: seq, Clast: m.clast[channel],
		Settings: m.settings[channel], Sanction: m.muteOf(channel, p.user), Partition: schema.PartitionOf(channel, modelPartitions), Members: m.memberList(channel),
	}
	var seen []rpc.Message
	for _, s := range m.stood[channel] {
		if s.VisibleTo(p.user) && (params.Since == nil || s.Seq > *params.Since) {
			seen = append(seen, s)
		}
	}
	if params.Since != nil {
		r.Recovered = new(true)
		r.Messages, r.Mine = m.folded(p, seen)
		r.Changes, r.Reacted, _ = m.missed(p, channel, *params.Since, 1<<60, 1<<30)
		return r
	}
	limit := limitOf(params.Limit)
	r.Messages, r.Mine = m.folded(p, seen[max(0, len(seen)-limit):])
	r.More = len(seen) > limit
	return r
}

func (m *model) memberList(channel string) (all []rpc.Member) {
	for _, u := range slices.Sorted(maps.Keys(m.users[channel])) {
		all = append(all, rpc.Member{User: u})
	}
	return all
}

func (m *model) chat(p *person) {
	channel := m.anyPlace(p)
	if channel == "" {
		return
	}
	m.serial++
	params := rpc.ChatParams{Channel: channel, ID: fmt.Sprint("m", m.serial), Body: fmt.Sprint("body ", m.serial)}
	if m.rng.IntN(5) == 0 {
		params.To = fmt.Sprint("user", m.rng.IntN(7))
	}
	m.structure(&params)
	if m.rng.IntN(30) == 0 {
		m.gets(p, Entry{Began: m.now, Op: OpChat, Outcome: Failed, Code: rpc.CodeRateLimited, Channel: channel, Chat: &params})
		return
	}
	if m.silences(p, channel) {
		m.gets(p, Entry{Began: m.now, Op: OpChat, Outcome: Failed, Code: rpc.CodeSanctioned, Channel: channel, Chat: &params})
		return
	}
	began := m.now
	seq := m.say(p, params)
	if m.rng.IntN(6) == 0 { // the answer is lost: again
		m.gets(p, Entry{Began: began, Op: OpChat, Outcome: Unknown, Code: rpc.CodeUnavailable, Channel: channel, Chat: &params})
		began, seq = m.now, m.say(p, params)
	}
	m.gets(p, Entry{Began: began, Op: OpChat, Outcome: OK, Channel: channel, Seq: seq, Chat: &params})
	if m.rng.IntN(20) == 0 { // a mistake of the client
		again := m.say(p, params)
		m.gets(p, Entry{Began: m.now, Op: OpChat, Outcome: OK, Channel: channel, Seq: again, Chat: &params})
	}
}

// say appends a chat and shows it.
func (m *model) say(p *person, c rpc.ChatParams) int64 {
	key := actKey{c.Channel, p.user, c.ID}
	void := m.ids[key]
	m.ids[key] = true
	seq := m.publish(p.at, c.Channel, &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: c.Channel, Session: p.id, User: p.user, Id: c.ID, Body: c.Body, To: c.To,
		Type: c.Type, Data: c.Data, Reply: c.Reply, Mentions: c.Mentions,
	}}}, void)
	if void {
		return seq
	}
	message := rpc.Message{Channel: c.Channel, Seq: seq, ID: c.ID, User: p.user, To: c.To, Body: c.Body, Time: m.start.Add(m.now).UnixMilli(),
		Type: c.Type, Data: c.Data, Reply: c.Reply, Mentions: c.Mentions}
	m.stood[c.Channel] = append(m.stood[c.Channel], message)
	m.tell(c.Channel, Entry{Op: PushChat, Seq: seq, Message: &rpc.ChatPush{Message: message, Prev: m.last[c.Channel]}}, nil)
	if c.To == "" {
		m.last[c.Channel] = seq
	}
	return seq
}

func (m *model) anyPlace(p *person) string {
	in := slices.Sorted(maps.Keys(p.places))
	if len(in) == 0 {
		return ""
	}
	return in[m.rng.IntN(len(in))]
}

func (m *model) leave(p *person) {
	channel := m.anyPlace(p)
	if channel == "" {
		return
	}
	began := m.now
	m.depart(p, channel, schema.Reason_REASON_LEAVE)
	delete(p.places, channel)
	m.gets(p, Entry{Began: began, Op: OpLeave, Outcome: OK, Channel: channel})
}

// depart appends a leave.
func (m *model) depart(p *person, channel string, reason schema.Reason) {
	if !m.members[channel][p] {
		return
	}
	seq := m.publish(p.at, channel, &schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{
		Channel: channel, Session: p.id, User: p.user, Reason: reason,
	}}}, false)
	m.gone(p, channel, seq, reason)
}

func (m *model) gone(p *person, channel string, seq int64, reason schema.Reason) {
	if p.hidden[channel] {
		m.unhide(p, channel)
		return
	}
	delete(m.members[channel], p)
	if m.users[channel][p.user]--; m.users[channel][p.user] == 0 {
		delete(m.users[channel], p.user)
		m.tell(channel, Entry{Op: PushLeft, Seq: seq, Who: p.user, Reason: reasonName(reason)}, nil)
	}
}

// end ends a connection; what it has not read is lost.
func (m *model) end(p *person, clean bool) {
	for _, e := range p.inbox {
		if e.Began > 0 {
			m.note(p, Entry{Began: e.Began, Op: e.Op, Outcome: Unknown, Channel: e.Channel, Join: e.Join, Chat: e.Chat, Edit: e.Edit, Delete: e.Delete, React: e.React, Pin: e.Pin,
				Sanction: e.Sanction, Kick: e.Kick, Lift: e.Lift, Requested: e.Requested, Set: e.Set})
		}
	}
	p.gone, p.inbox = true, nil
	m.note(p, Entry{Op: End, Clean: clean})
	m.sessions = slices.DeleteFunc(m.sessions, func(o *person) bool { return o == p })
}

func (m *model) cut(p *person, clean bool) {
	m.end(p, clean)
	if clean {
		m.departAll(p)
		return
	}
	m.after(5*time.Second, func() {
		if slices.Contains(m.connectors, p.at) {
			m.departAll(p)
		}
	})
}

func (m *model) departAll(p *person) {
	for _, channel := range modelChannels {
		m.depart(p, channel, schema.Reason_REASON_DISCONNECT)
	}
}

// kill kills a connector: its sessions end, its down follows.
func (m *model) kill(i int) {
	old := m.connectors[i]
	m.connectors[i] = m.live(old.process)
	m.entries = append(m.entries, Entry{At: m.now, Until: m.now + time.Second, Op: Fault, Server: old.process, What: "kill"})
	for _, p := range slices.Clone(m.sessions) {
		if p.at == old {
			m.end(p, false)
		}
	}
	m.after(9*time.Second, func() {
		for partition := range modelPartitions {
			seq := m.append(partition, &schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: old.id, Reason: schema.Reason_REASON_TIMEOUT}}}, false)
			m.down(old, partition, seq)
		}
	})
}

func (m *model) down(old *life, partition int, seq int64) {
	for _, channel := range modelChannels {
		for _, p := range m.in(channel) {
			if p.at == old && schema.PartitionOf(channel, modelPartitions) == partition {
				m.gone(p, channel, seq, schema.Reason_REASON_TIMEOUT)
			}
		}
	}
}

func (m *model) list(p *person) {
	if channel := m.anyPlace(p); channel != "" {
		m.gets(p, Entry{Began: m.now, Op: OpMembers, Outcome: OK, Channel: channel, Members: &rpc.MembersResult{
			Members: m.memberList(channel), Count: len(m.users[channel]),
		}})
	}
}

// pushes are what a worker emits, and what another one repeats now and then.
func (m *model) pushes() [][]PushRecord {
	var all []PushRecord
	for p, records := range m.log.Partitions {
		f := fold.New(fold.Log{Partition: int32(p), Epoch: "e1", Window: m.log.Window})
		for _, r := range records {
			out, err := f.Apply(r.Offset, r.Event)
			if err != nil {
				panic(err)
			}
			for _, o := range out {
				all = append(all, PushRecord{int64(len(all)), o.Push})
				if n := len(all); m.rng.IntN(50) == 0 {
					all = append(all, all[max(0, n-5):]...)
				}
			}
		}
	}
	return [][]PushRecord{all}
}
