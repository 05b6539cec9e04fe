package changes

import (
	"encoding/json"

	"github.com/parley-chat/parley/schema/rpc"
)

// Show makes m, as it was sent or as an older state of the same message left it,
// what the state says.
func (s *State) Show(m *rpc.Message) {
	var edited *Edited
	var data string
	m.Body, m.Type, data, edited = s.Text(m.Body, m.Type, string(m.Data))
	m.Data, m.Edited, m.Reactions = nil, nil, nil
	if data != "" {
		m.Data = json.RawMessage(data)
	}
	if edited != nil {
		m.Edited = &rpc.Edited{Seq: edited.Seq, Time: edited.Time}
	}
	for _, c := range s.Reactions() {
		m.Reactions = append(m.Reactions, rpc.Reaction{Name: c.Name, Count: c.Count})
	}
	if d := s.deleted; d != nil {
		m.Deleted = &rpc.Deleted{Seq: d.Seq, Time: d.Time, By: authorOf(d.User, d.Key), Reason: d.Reason}
		m.Reply, m.Mentions = 0, nil
	}
}

// authorOf is who acted: a key of the API, as whichever user, else a user.
func authorOf(user, key string) rpc.Author {
	if key != "" {
		return rpc.Author{Key: key}
	}
	return rpc.Author{User: user}
}

// Wire is an edit, a deletion or a purge as clients see it.
func (r *Record) Wire(channel string) rpc.Change {
	c := rpc.Change{
		Channel: channel, Seq: r.Seq, Target: r.Target, User: r.User, Key: r.Key, To: r.To, Time: r.Time, ID: r.ID,
	}
	switch {
	case r.Edit != nil:
		c.Edit = &rpc.Edit{Body: r.Edit.Body, Type: r.Edit.Type}
		if r.Edit.Type != nil && *r.Edit.Type == "" {
			text := rpc.TypeText
			c.Edit.Type = &text
		}
		if r.Edit.Data != nil {
			c.Edit.Data = json.RawMessage(*r.Edit.Data)
			if *r.Edit.Data == "" {
				c.Edit.Data = json.RawMessage("null")
			}
		}
	case r.Delete != nil:
		c.Delete = &rpc.Deletion{Reason: r.Delete.Reason}
	case r.Purge != nil:
		by := authorOf(r.User, r.Key)
		c.User, c.Key, c.By = "", "", &by
		c.Purge = &rpc.PurgeChange{User: r.Purge.User, Since: r.Purge.Since, Reason: r.Purge.Reason}
	}
	return c
}
