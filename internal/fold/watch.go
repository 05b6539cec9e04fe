package fold

import "github.com/parley-chat/parley/schema"

// watch subscribes a connector to a channel without a member. A repeated one is
// answered; a void one is as a void join.
func (s *step) watch(w *schema.Watch, void bool) {
	if void {
		if s.fold.window.IsDown(w.Connector) {
			s.tellEnded(w.Connector, w.PushPartition)
		}
		return
	}
	ch := s.fold.channel(w.Channel)
	c := s.fold.connector(w.Connector, w.PushPartition)
	sub, subscribed := ch.subscribe(c)
	if sub.watch == 0 {
		sub.watch = s.offset
		s.fold.dirty.watch(c.id, ch.name)
	}
	u := &schema.Update{Channel: ch.name, Kind: &schema.Update_Watched{Watched: &schema.Watched{
		Last: ch.last, Count: int64(len(ch.users)), Clast: ch.clast, Subscribed: subscribed,
	}}}
	if subscribed {
		s.subscribe(c, ch, u)
		return
	}
	s.push(c, []*schema.Update{u})
}

// unwatch ends a watch. Where there is none, it is answered.
func (s *step) unwatch(w *schema.Unwatch) {
	c, known := s.fold.connectors[w.Connector]
	if !known {
		return
	}
	ch := s.fold.channel(w.Channel)
	s.push(c, []*schema.Update{{Channel: ch.name, Kind: &schema.Update_Unwatched{Unwatched: &schema.Unwatched{
		Unsubscribed: s.endWatch(ch, c),
	}}}})
	s.fold.release(ch)
}

// endWatch ends a connector's watch of a channel, if there is one.
func (s *step) endWatch(ch *channel, c *connector) (unsubscribed bool) {
	i, found := ch.find(c)
	if !found || ch.subs[i].watch == 0 {
		return false
	}
	ch.subs[i].watch = 0
	s.fold.dirty.watch(c.id, ch.name)
	return ch.unsubscribe(c)
}

// watchOf is the offset of a connector's watch of a channel; 0: it does not watch it.
func (f *Fold) watchOf(id, channel string) int64 {
	ch, c := f.channels[channel], f.connectors[id]
	if ch == nil || c == nil {
		return 0
	}
	if i, found := ch.find(c); found {
		return ch.subs[i].watch
	}
	return 0
}
