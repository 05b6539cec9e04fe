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

// apply takes the event. What is void among the events of the log itself is not.
func (s *step) apply(e *schema.Event, void bool) {
	switch k := e.Kind.(type) {
	case *schema.Event_Chat:
		s.chat(k.Chat, void)
		return
	case *schema.Event_Down:
		s.down(k.Down)
		return
	case *schema.Event_Join:
		s.join(e.Connector, k.Join, void)
		return
	case *schema.Event_Watch:
		s.watch(k.Watch, void)
		return
	}
	if void {
		s.voided(e)
		return
	}
	switch k := e.Kind.(type) {
	case *schema.Event_Leave:
		s.leave(e.Connector, k.Leave)
	case *schema.Event_Unwatch:
		s.unwatch(k.Unwatch)
	case *schema.Event_Change:
		s.change(k.Change)
	case *schema.Event_Purge:
		s.purge(k.Purge)
	case *schema.Event_Sanction:
		s.sanction(k.Sanction)
	case *schema.Event_Set:
		s.set(k.Set)
	case *schema.Event_Pin:
		s.pin(k.Pin)
	}
}

// chat is shown to every connector that has members or watches, private or not: the
// connector filters. It is valid whether or not its sender is a member.
func (s *step) chat(c *schema.Chat, void bool) {
	ch := s.fold.channel(c.Channel)
	u := &schema.Update{Channel: c.Channel}
	if void {
		u.Kind = &schema.Update_VoidChat{VoidChat: &schema.VoidChat{}}
	} else {
		u.Kind = &schema.Update_Message{Message: &schema.Message{
			User: c.User, Id: c.Id, Body: c.Body, To: c.To, Trace: c.Trace, Prev: ch.last,
			Info: c.Info, Type: c.Type, Data: c.Data, Reply: c.Reply, Mentions: c.Mentions, Origin: c.Origin, Key: c.Key,
		}}
	}
	if !void && c.To == "" {
		ch.last = s.offset
		s.fold.dirty.channel(c.Channel)
	}
	if !void && c.To != "" {
		s.whispered(ch)
	}
	s.show(ch, u)
	s.fold.release(ch)
}

// whispered keeps of what only some may see that it was: nothing else of it is kept.
func (s *step) whispered(ch *channel) {
	if !ch.touched() {
		ch.extra().private = true
		s.fold.dirty.channel(ch.name)
	}
}

// show sends updates to every connector that has members or watches.
func (s *step) show(ch *channel, updates ...*schema.Update) {
	s.out = make([]Out, 0, len(ch.subs))
	parts := pack(updates, s.fold.limit)
	for _, sub := range ch.subs {
		s.send(sub.connector, parts)
	}
}

// voided shows the offset of a void act; a void leave or unwatch is not shown.
func (s *step) voided(e *schema.Event) {
	if ch := s.fold.channels[e.Channel()]; ch != nil && isAct(e) {
		s.show(ch, &schema.Update{Channel: ch.name, Kind: &schema.Update_VoidChange{VoidChange: &schema.VoidChange{}}})
	}
}

// join makes a session a member. A repeated join is shown like any other but
// changes nothing, except the info of its user. A void one is not shown: it repeats
// one that was, or its connector was declared down, which is then reported to it.
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
	s.inform(ch, m.user, j.Info)
	mute, ban := s.inForce(ch, m.user)
	u := &schema.Update{Channel: j.Channel, Kind: &schema.Update_Joined{Joined: &schema.Joined{
		Session: j.Session, User: m.user, Connector: m.connector.id,
		First: first, Last: ch.last, Count: int64(len(ch.users)),
		Info: j.Info, Clast: ch.clast, Mute: mute, Banned: ban,
	}}}
	updates := []*schema.Update{u}
	for _, sub := range ch.subs {
		if subscribed && sub.connector == m.connector {
			own := proto.CloneOf(u)
			own.GetJoined().Subscribed = true
			s.subscribe(sub.connector, ch, own)
			continue
		}
		s.push(sub.connector, updates)
	}
}

// subscribe tells a connector what it needs to know about a channel, and then what
// began that. What is untouched is said after the updates were distributed over
// pushes: workers that do not say it must distribute them alike.
func (s *step) subscribe(c *connector, ch *channel, began *schema.Update) {
	updates := append(s.snapshots(ch), began)
	parts := pack(updates, s.fold.limit)
	updates[0].GetSnapshot().Untouched = s.fold.whole && !ch.touched()
	s.send(c, parts)
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
func (s *step) leave(from string, l *schema.Leave) {
	ch := s.fold.channel(l.Channel)
	m, known := ch.members[l.Session]
	left := &schema.Left{Session: l.Session, User: l.User, Reason: l.Reason}
	leaver := s.fold.connectors[from]
	unsubscribed := false
	if known {
		left.User, leaver = m.user, m.connector
		left.Gone, unsubscribed = s.remove(ch, l.Session)
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

// remove ends the membership of a session that is a member.
func (s *step) remove(ch *channel, session string) (gone, unsubscribed bool) {
	user := ch.members[session].user
	gone, unsubscribed = ch.remove(session)
	s.fold.dirty.member(session, ch.name)
	if gone {
		s.inform(ch, user, nil)
	}
	return gone, unsubscribed
}

// inform keeps the info of a join; with none, it forgets that of the user.
func (s *step) inform(ch *channel, user string, info []byte) {
	if len(info) == 0 && (ch.more == nil || ch.more.infos[user] == nil) {
		return
	}
	s.fold.dirty.info(ch.name, user)
	if len(info) == 0 {
		delete(ch.more.infos, user)
		ch.tidy()
		return
	}
	m := ch.extra()
	if m.infos == nil {
		m.infos = map[string][]byte{}
	}
	m.infos[user] = info
}

// down ends all memberships of a connector, and what it watches, and forgets it.
func (s *step) down(d *schema.Down) {
	x, known := s.fold.connectors[d.Connector]
	if !known {
		return
	}
	updates := map[*connector][]*schema.Update{x: {ended()}}
	for _, name := range slices.Sorted(maps.Keys(x.channels)) {
		ch := x.channels[name]
		members, gone := s.evict(ch, x)
		if !members {
			s.fold.release(ch)
			continue
		}
		departed := s.departed(ch, gone, d.Reason)
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

// evict ends x's watch and memberships of a channel and returns whether it had
// members, and the users that are gone, sorted.
func (s *step) evict(ch *channel, x *connector) (members bool, gone []string) {
	s.endWatch(ch, x)
	for _, session := range ch.sessionsOf(x) {
		members = true
		user := ch.members[session].user
		if userGone, _ := s.remove(ch, session); userGone {
			gone = append(gone, user)
		}
	}
	slices.Sort(gone)
	return members, gone
}

// push sends the updates to a connector in as few pushes as hold them.
func (s *step) push(c *connector, updates []*schema.Update) {
	s.send(c, pack(updates, s.fold.limit))
}

// send sends pushes to a connector, stamped, unless they are known to be there.
func (s *step) send(c *connector, parts [][]*schema.Update) {
	if sent, torn := s.fold.sent[c.id]; torn && s.offset <= sent.offset {
		c.last = sent
		return
	}
	for i, part := range parts {
		at := stamp{s.offset, int32(i)}
		s.out = append(s.out, Out{c.pushPartition, &schema.Push{
			Connector:  c.id,
			Partition:  s.fold.log.Partition,
			Offset:     at.offset,
			Index:      at.index,
			PrevOffset: c.last.offset,
			PrevIndex:  c.last.index,
			Format:     s.fold.format.InForce,
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
