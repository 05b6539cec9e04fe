package projector

import (
	"cmp"

	"github.com/parley-chat/parley/schema"
)

// more is what rows have that came with format 2.
type more struct {
	info       string
	origin     schema.Origin
	key        string
	kind, data string // of a message, or as an edit names them
	reply      int64
	mentions   []string
	action     string
	target     int64
	author     string
	moderator  bool
	name       string
	removed    bool
	by         string
	until      int64
	since      *int64
	slow       *int64
	frozen     *bool
	topic      *string
}

// moreSize is about what it takes beside its strings.
const moreSize = 320

func (m *more) size() int {
	n := moreSize + len(m.info) + len(m.key) + len(m.kind) + len(m.data) + len(m.author) + len(m.name) + len(m.by)
	for _, user := range m.mentions {
		n += 16 + len(user)
	}
	if m.topic != nil {
		n += len(*m.topic)
	}
	return n
}

// changes reports whether the row changes messages, if it is not void.
func (r *row) changes() bool {
	return r.kind == "change" || r.kind == "purge" || r.kind == "sanction" && r.more.since != nil
}

// act fills in a row of a kind that came with format 2; false for what has no
// rows, such as a watch.
func (r *row) act(e *schema.Event) bool {
	switch k := e.Kind.(type) {
	case *schema.Event_Change:
		r.change(k.Change)
	case *schema.Event_Pin:
		p := k.Pin
		r.kind, r.id, r.more = "pin", p.Id, &more{target: p.Target, removed: p.Remove}
		r.by(p.By)
	case *schema.Event_Sanction:
		s := k.Sanction
		r.kind, r.user, r.id, r.reason = "sanction", s.User, s.Id, s.Reason
		r.more = &more{action: s.Action.Name(), until: s.Until, since: s.PurgeSince}
		r.by(s.By)
	case *schema.Event_Purge:
		p := k.Purge
		r.kind, r.user, r.id, r.reason, r.more = "purge", p.User, p.Id, p.Reason, &more{since: &p.Since}
		r.by(p.By)
	case *schema.Event_Set:
		s := k.Set
		r.kind, r.id = "set", s.Id
		r.more = &more{slow: s.Slow, frozen: s.Frozen, topic: s.Topic, data: cleared(s.Data, "null")}
		r.by(s.By)
	default:
		return false
	}
	return true
}

// by fills in who acted.
func (r *row) by(a *schema.Author) {
	r.more.by, r.more.key = a.GetUser(), a.GetKey()
	if r.more.key != "" {
		r.more.origin = schema.Origin_ORIGIN_BACKEND
	}
}

func (r *row) change(c *schema.Change) {
	r.kind, r.user, r.session, r.to, r.id, r.trace = "change", c.User, c.Session, c.To, c.Id, c.Trace
	r.more = &more{origin: c.Origin, key: c.Key, target: c.Target, author: c.Author, moderator: c.Moderator}
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		edit := act.Edit
		r.body, r.more.action, r.more.data = edit.Body, "edit", cleared(edit.Data, "null")
		if edit.Type != nil {
			r.more.kind = cmp.Or(*edit.Type, "text")
		}
	case *schema.Change_Delete:
		r.reason, r.more.action = act.Delete.Reason, "delete"
	case *schema.Change_React:
		r.more.action, r.more.name, r.more.removed = "react", act.React.Name, act.React.Remove
	}
}

// cleared is a value as a column has it: empty where it was not named, and a word
// for none where it was taken away.
func cleared(value []byte, none string) string {
	if value == nil {
		return ""
	}
	return cmp.Or(string(value), none)
}
