package changes

import "github.com/parley-chat/parley/schema"

// Record is a change of a channel as the log has it.
type Record struct {
	Change
	ID string
	// Target is the message that is changed, Author whose it is, and To whom it is
	// to. A purge has none of them: Purge says whose messages it takes away.
	Target     int64
	Author, To string
}

// VisibleTo reports whether a user may see the change. All see a purge.
func (r *Record) VisibleTo(user string) bool {
	return r.To == "" || r.Author == user || r.To == user
}

// Link reports whether the change is a link of the channel's chain of changes.
func (r *Record) Link() bool { return r.To == "" && r.React == nil }

// Hits reports whether the change is one of the message m.
func (r *Record) Hits(m *Message) bool {
	if r.Purge != nil {
		return r.Purge.hits(m, r.Seq)
	}
	return r.Target == m.Seq
}

// Bare returns the change without text: what may be told of an edit whose message is
// deleted.
func (r Record) Bare() Record {
	if r.Edit != nil {
		r.Edit = &Edit{}
	}
	return r
}

// Of returns what the event at an offset changes, which is not void; false where
// it changes no message.
func Of(offset int64, e *schema.Event) (Record, bool) {
	r := Record{Change: Change{Seq: offset, Time: e.Time}}
	switch k := e.Kind.(type) {
	case *schema.Event_Change:
		c := k.Change
		r.User, r.Key, r.ID, r.Target, r.Author, r.To = c.User, c.Key, c.Id, c.Target, c.Author, c.To
		r.act(c)
	case *schema.Event_Purge:
		r.purge(k.Purge.By, k.Purge.Id, k.Purge.User, k.Purge.Since, k.Purge.Reason)
	case *schema.Event_Sanction:
		if k.Sanction.PurgeSince == nil {
			return Record{}, false
		}
		r.purge(k.Sanction.By, k.Sanction.Id, k.Sanction.User, *k.Sanction.PurgeSince, k.Sanction.Reason)
	default:
		return Record{}, false
	}
	return r, true
}

func (r *Record) act(c *schema.Change) {
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		r.Edit = EditOf(act.Edit)
	case *schema.Change_Delete:
		r.Delete = &Delete{act.Delete.Reason}
	case *schema.Change_React:
		r.React = &React{act.React.Name, act.React.Remove}
	}
}

// EditOf is an edit as the log and pushes have it.
func EditOf(e *schema.Edit) *Edit {
	edit := &Edit{Body: e.Body, Type: e.Type}
	if e.Data != nil {
		data := string(e.Data)
		edit.Data = &data
	}
	return edit
}

func (r *Record) purge(by *schema.Author, id, user string, since int64, reason string) {
	r.User, r.Key, r.ID = by.GetUser(), by.GetKey(), id
	r.Purge = &Purge{User: user, Since: since, Reason: reason}
}
