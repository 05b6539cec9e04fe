package fold

import (
	"cmp"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// step is what one event does.
type step struct {
	fold   *Fold
	offset int64
	time   int64
	out    []Out
}

// chat is shown to every connector that has members, private or not: the
// connector filters. It is valid whether or not its sender is a member.
func (s *step) chat(c *schema.Chat, void bool) {
	ch := s.fold.channel(c.Channel)
	u := &schema.Update{Channel: c.Channel}
	if void {
		u.Kind = &schema.Update_VoidChat{VoidChat: &schema.VoidChat{}}
	} else {
		u.Kind = &schema.Update_Message{Message: &schema.Message{
			User: c.User, Id: c.Id, Body: c.Body, To: c.To, Trace: c.Trace, Prev: ch.last,
		}}
	}
	if !void && c.To == "" {
		ch.last = s.offset
		s.fold.dirty.channel(c.Channel)
	}
	updates := []*schema.Update{u}
	s.out = make([]Out, 0, len(ch.subs))
	for _, sub := range ch.subs {
		s.push(sub.connector, updates)
	}
	s.fold.release(ch)
}

// join makes a session a member. A repeated join is shown like any other but
// changes nothing. A void one is not shown: it repeats one that was, or its
// connector was declared down, which is then reported to it.
func (s *step) join(from string, j *schema.Join, void bool) {
	if void {
		if s.fold.window.IsDown(from) {
			s.tellEnded(from, j.PushPartition)
		}
		return
	}
	ch := s.fold.channel(j.Channel)
	m, known := ch.members[j.Session]
	var first, subscribed bool
	if !known {
		m = member{user: j.User, connector: s.fold.connector(from, j.PushPartition), offset: s.offset}
		first, subscribed = ch.add(j.Session, m)
		s.fold.dirty.member(j.Session, j.Channel)
	}
	u := &schema.Update{Channel: j.Channel, Kind: &schema.Update_Joined{Joined: &schema.Joined{
		Session: j.Session, User: m.user, Connector: m.connector.id,
		First: first, Last: ch.last, Count: int64(len(ch.users)),
	}}}
	updates := []*schema.Update{u}
	for _, sub := range ch.subs {
		if subscribed && sub.connector == m.connector {
			own := proto.CloneOf(u)
			own.GetJoined().Subscribed = true
			s.push(sub.connector, append(s.snapshots(ch), own))
			continue
		}
		s.push(sub.connector, updates)
	}
}

// tellEnded answers the join of a connector that was declared down. The
// connector has no state then, and gets none.
func (s *step) tellEnded(id string, pushPartition int32) {
	c, known := s.fold.connectors[id]
	if !known {
		c = &connector{id: id, pushPartition: pushPartition}
	}
	s.push(c, []*schema.Update{ended()})
}

func ended() *schema.Update {
	return &schema.Update{Kind: &schema.Update_Ended{Ended: &schema.Ended{}}}
}

// leave ends a session's membership. A leave by a session that is not a member
// changes nothing; its connector gets a push all the same, so that the request is answered.
func (s *step) leave(from string, l *schema.Leave, void bool) {
	if void {
		return
	}
	ch := s.fold.channel(l.Channel)
	m, known := ch.members[l.Session]
	left := &schema.Left{Session: l.Session, User: l.User, Reason: l.Reason}
	leaver := s.fold.connectors[from]
	unsubscribed := false
	if known {
		left.User, leaver = m.user, m.connector
		left.Gone, unsubscribed = ch.remove(l.Session)
		s.fold.dirty.member(l.Session, l.Channel)
	}
	left.Count = int64(len(ch.users))
	u := &schema.Update{Channel: l.Channel, Kind: &schema.Update_Left{Left: left}}
	updates := []*schema.Update{u}
	for _, c := range ch.receivers(leaver) {
		if unsubscribed && c == leaver {
			own := proto.CloneOf(u)
			own.GetLeft().Unsubscribed = true
			s.push(c, []*schema.Update{own})
			continue
		}
		s.push(c, updates)
	}
	s.fold.release(ch)
}

// down ends all memberships of a connector and forgets it.
func (s *step) down(d *schema.Down) {
	x, known := s.fold.connectors[d.Connector]
	if !known {
		return
	}
	updates := map[*connector][]*schema.Update{x: {ended()}}
	for _, name := range slices.Sorted(maps.Keys(x.channels)) {
		ch := x.channels[name]
		departed := s.departed(ch, s.evict(ch, x), d.Reason)
		for _, sub := range ch.subs {
			updates[sub.connector] = append(updates[sub.connector], departed...)
		}
		s.fold.release(ch)
	}
	receivers := slices.SortedFunc(maps.Keys(updates), func(a, b *connector) int { return cmp.Compare(a.id, b.id) })
	for _, c := range receivers {
		s.push(c, updates[c])
	}
	delete(s.fold.connectors, x.id)
	s.fold.gone[x.id] = x
	s.fold.dirty.connector(x.id)
}

// evict ends x's memberships of a channel and returns the users that are gone,
// sorted.
func (s *step) evict(ch *channel, x *connector) (gone []string) {
	for _, session := range ch.sessionsOf(x) {
		user := ch.members[session].user
		if userGone, _ := ch.remove(session); userGone {
			gone = append(gone, user)
		}
		s.fold.dirty.member(session, ch.name)
	}
	slices.Sort(gone)
	return gone
}

// push sends the updates to a connector, stamped, in as few pushes as hold
// them, unless they are known to be there.
func (s *step) push(c *connector, updates []*schema.Update) {
	if sent, torn := s.fold.sent[c.id]; torn && s.offset <= sent.offset {
		c.last = sent
		return
	}
	for i, part := range pack(updates, s.fold.limit) {
		at := stamp{s.offset, int32(i)}
		s.out = append(s.out, Out{c.pushPartition, &schema.Push{
			Connector:  c.id,
			Partition:  s.fold.log.Partition,
			Offset:     at.offset,
			Index:      at.index,
			PrevOffset: c.last.offset,
			PrevIndex:  c.last.index,
			Format:     s.fold.format,
			Time:       s.time,
			Updates:    part,
		}})
		c.last = at
	}
	if s.fold.connectors[c.id] == c {
		s.fold.dirty.connector(c.id)
	}
}

// channel returns the channel's state, which it creates where there is none.
func (f *Fold) channel(name string) *channel {
	ch, found := f.channels[name]
	if !found {
		ch = &channel{name: name}
		f.channels[name] = ch
	}
	return ch
}

// release forgets a channel that has no state left.
func (f *Fold) release(ch *channel) {
	if ch.empty() {
		delete(f.channels, ch.name)
	}
}

// connector returns the connector's state, with the push partition that its
// newest join named.
func (f *Fold) connector(id string, pushPartition int32) *connector {
	c, found := f.connectors[id]
	if !found {
		c = &connector{id: id, channels: map[string]*channel{}}
		f.connectors[id] = c
	}
	c.pushPartition = pushPartition
	f.dirty.connector(id)
	return c
}
