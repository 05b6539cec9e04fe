package checker

import (
	"cmp"
	"slices"
	"strings"

	"github.com/parley-chat/parley/schema"
)

// Row is one row of the table of events.
type Row struct {
	Partition int32
	Channel   string
	Seq       int64
	Kind      string
	User, To  string
	ID, Body  string
	Session   string
	Connector string
	Time      int64 // milliseconds
	Reason    string
	Void      bool
	Trace     string
	// What came with format 2. Mentions are joined by commas; Since is -1 where there
	// is none.
	Info, Origin, Key, Type, Data string
	Reply                         int64
	Mentions, Action, Author      string
	Target                        int64
	Moderator, Removed            bool
	Name, By                      string
	Since                         int64
	Until                         int64
	// Of a set; -1, and "", where it leaves alone what they are. Topic begins with "=".
	Slow, Frozen int64
	Topic        string
}

// rowOf is the row that an event must have become; false for none.
func rowOf(e event) (Row, bool) {
	r := Row{Partition: int32(e.partition), Seq: e.Offset, Channel: e.Event.Channel(), Connector: e.Event.Connector, Time: e.Event.Time, Void: e.void, Origin: "client", Since: -1, Slow: -1, Frozen: -1}
	switch k := e.Event.Kind.(type) {
	case *schema.Event_Join:
		r.Kind, r.User, r.Session, r.Info = "join", k.Join.User, k.Join.Session, string(k.Join.Info)
	case *schema.Event_Leave:
		r.Kind, r.User, r.Session, r.Reason = "leave", k.Leave.User, k.Leave.Session, reasonName(k.Leave.Reason)
	case *schema.Event_Down:
		r.Kind, r.Connector, r.Reason = "down", k.Down.Connector, reasonName(k.Down.Reason)
	case *schema.Event_Chat:
		r.Kind, r.User, r.Session = "chat", k.Chat.User, k.Chat.Session
		r.To, r.ID, r.Body, r.Trace = k.Chat.To, k.Chat.Id, k.Chat.Body, k.Chat.Trace
		r.Info, r.Type, r.Data, r.Reply, r.Mentions = string(k.Chat.Info), k.Chat.Type, string(k.Chat.Data), k.Chat.Reply, strings.Join(k.Chat.Mentions, ",")
	case *schema.Event_Change:
		c := k.Change
		r.Kind, r.User, r.Session, r.To, r.ID, r.Trace = "change", c.User, c.Session, c.To, c.Id, c.Trace
		r.Target, r.Author, r.Moderator, r.Key = c.Target, c.Author, c.Moderator, c.Key
		r.act(c)
	case *schema.Event_Pin:
		r.Kind, r.ID, r.Target, r.Removed = "pin", k.Pin.Id, k.Pin.Target, k.Pin.Remove
		r.by(k.Pin.By)
	case *schema.Event_Purge:
		r.Kind, r.User, r.ID, r.Reason, r.Since = "purge", k.Purge.User, k.Purge.Id, k.Purge.Reason, k.Purge.Since
		r.by(k.Purge.By)
	case *schema.Event_Sanction:
		s := k.Sanction
		r.Kind, r.User, r.ID, r.Reason, r.Action, r.Until = "sanction", s.User, s.Id, s.Reason, s.Action.Name(), s.Until
		if s.PurgeSince != nil {
			r.Since = *s.PurgeSince
		}
		r.by(s.By)
	case *schema.Event_Set:
		r.Kind, r.ID = "set", k.Set.Id
		r.set(k.Set)
		r.by(k.Set.By)
	default:
		return Row{}, false
	}
	return r, true
}

// set fills in what of a channel is set.
func (r *Row) set(s *schema.Set) {
	if s.Slow != nil {
		r.Slow = *s.Slow
	}
	if s.Frozen != nil {
		if r.Frozen = 0; *s.Frozen {
			r.Frozen = 1
		}
	}
	if s.Topic != nil {
		r.Topic = "=" + *s.Topic
	}
	if s.Data != nil {
		r.Data = cmp.Or(string(s.Data), "null")
	}
}

func (r *Row) by(a *schema.Author) {
	if r.By, r.Key = a.GetUser(), a.GetKey(); r.Key != "" {
		r.Origin = "backend"
	}
}

// act fills in what a change does. What an edit takes away has a word, so that it is
// not what it does not name.
func (r *Row) act(c *schema.Change) {
	switch act := c.Act.(type) {
	case *schema.Change_Edit:
		r.Action, r.Body = "edit", act.Edit.Body
		if act.Edit.Type != nil {
			r.Type = cmp.Or(*act.Edit.Type, "text")
		}
		if act.Edit.Data != nil {
			r.Data = cmp.Or(string(act.Edit.Data), "null")
		}
	case *schema.Change_Delete:
		r.Action, r.Reason = "delete", act.Delete.Reason
	case *schema.Change_React:
		r.Action, r.Name, r.Removed = "react", act.React.Name, act.React.Remove
	}
}

func reasonName(r schema.Reason) string { return r.Name() }

// checkRows checks that the rows are the log up to the watermarks, nothing
// more than the log, and in the end all of it.
func (c *check) checkRows() {
	if c.Rows == nil {
		return
	}
	slices.SortFunc(c.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Seq, b.Seq))
	})
	rows := c.Rows
	for p, events := range c.truth.events {
		watermark, known := c.Watermarks[int32(p)]
		if c.Drained && len(events) > 0 && (!known || watermark != c.truth.ends[p]-1) {
			c.violate(Drained, nil, "", watermark, "the watermark of partition %d is not at the end, %d", p, c.truth.ends[p]-1)
		}
		for _, e := range events {
			want, ok := rowOf(e)
			if !ok {
				continue
			}
			rows = c.strayRows(rows, want)
			switch {
			case len(rows) > 0 && rows[0] == want:
				rows = rows[1:]
			case len(rows) > 0 && rows[0].Partition == want.Partition && rows[0].Seq == want.Seq:
				c.violate(Projection, nil, want.Channel, want.Seq, "the row is %+v, the log has %+v", rows[0], want)
				rows = rows[1:]
			case e.Offset <= watermark || c.Drained:
				c.violate(Projection, nil, want.Channel, want.Seq, "the row of partition %d is missing below the watermark %d", p, watermark)
			}
		}
	}
	for _, r := range rows {
		c.violate(Projection, nil, r.Channel, r.Seq, "the row of partition %d has no event", r.Partition)
	}
}

// strayRows drops the rows before want, which match no event, or repeat one.
func (c *check) strayRows(rows []Row, want Row) []Row {
	for len(rows) > 0 && (rows[0].Partition < want.Partition || rows[0].Partition == want.Partition && rows[0].Seq < want.Seq) {
		c.violate(Projection, nil, rows[0].Channel, rows[0].Seq, "the row of partition %d has no event, or is a duplicate", rows[0].Partition)
		rows = rows[1:]
	}
	return rows
}
