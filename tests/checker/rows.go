package checker

import (
	"cmp"
	"slices"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
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
}

// rowOf is the row that an event must have become; false for none.
func rowOf(e event) (Row, bool) {
	r := Row{Partition: int32(e.partition), Seq: e.Offset, Channel: e.Event.Channel(), Connector: e.Event.Connector, Time: e.Event.Time, Void: e.void}
	switch k := e.Event.Kind.(type) {
	case *schema.Event_Join:
		r.Kind, r.User, r.Session = "join", k.Join.User, k.Join.Session
	case *schema.Event_Leave:
		r.Kind, r.User, r.Session, r.Reason = "leave", k.Leave.User, k.Leave.Session, reasonName(k.Leave.Reason)
	case *schema.Event_Down:
		r.Kind, r.Connector, r.Reason = "down", k.Down.Connector, reasonName(k.Down.Reason)
	case *schema.Event_Chat:
		r.Kind, r.User, r.Session = "chat", k.Chat.User, k.Chat.Session
		r.To, r.ID, r.Body, r.Trace = k.Chat.To, k.Chat.Id, k.Chat.Body, k.Chat.Trace
	default:
		return Row{}, false
	}
	return r, true
}

func reasonName(r schema.Reason) string {
	switch r {
	case schema.Reason_REASON_LEAVE:
		return rpc.LeftLeave
	case schema.Reason_REASON_DISCONNECT:
		return rpc.LeftDisconnect
	case schema.Reason_REASON_TIMEOUT:
		return rpc.LeftTimeout
	}
	return ""
}

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
