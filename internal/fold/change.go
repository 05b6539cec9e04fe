package fold

import "github.com/parley-chat/parley/schema"

// change is shown to every connector that has members or watches, as a chat is. Those
// of public messages, but no reactions, are links of the channel's second chain.
func (s *step) change(c *schema.Change) {
	ch := s.fold.channel(c.Channel)
	u := &schema.Update{Channel: c.Channel}
	if r := c.GetReact(); r != nil {
		u.Kind = &schema.Update_Reacted{Reacted: &schema.Reacted{
			User: c.User, Id: c.Id, Target: c.Target, Author: c.Author, To: c.To, Trace: c.Trace,
			Name: r.Name, Remove: r.Remove,
		}}
	} else {
		u.Kind = &schema.Update_Changed{Changed: s.changed(ch, c)}
	}
	s.whispered(ch)
	s.show(ch, u)
	s.fold.release(ch)
}

func (s *step) changed(ch *channel, c *schema.Change) *schema.Changed {
	changed := &schema.Changed{
		User: c.User, Id: c.Id, Target: c.Target, Author: c.Author, To: c.To,
		Moderator: c.Moderator, Origin: c.Origin, Key: c.Key, Trace: c.Trace, Cprev: ch.clast,
	}
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		changed.Act = &schema.Changed_Edit{Edit: &schema.Edit{Body: act.Edit.Body, Type: act.Edit.Type, Data: act.Edit.Data}}
	case *schema.Change_Delete:
		changed.Act = &schema.Changed_Delete{Delete: &schema.Delete{Reason: act.Delete.Reason}}
	}
	if c.To == "" {
		s.link(ch)
	}
	return changed
}

// link makes the event the newest public change of the channel.
func (s *step) link(ch *channel) {
	ch.clast = s.offset
	s.fold.dirty.channel(ch.name)
}

// purge is a public change, whatever it deletes.
func (s *step) purge(p *schema.Purge) {
	ch := s.fold.channel(p.Channel)
	s.show(ch, s.purged(ch, p))
}

func (s *step) purged(ch *channel, p *schema.Purge) *schema.Update {
	u := &schema.Update{Channel: ch.name, Kind: &schema.Update_Purged{Purged: &schema.Purged{
		User: p.User, By: authorOf(p.By).proto(), Id: p.Id, Since: p.Since, Reason: p.Reason, Cprev: ch.clast,
	}}}
	s.link(ch)
	return u
}
