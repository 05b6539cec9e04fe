package checker

import (
	"cmp"
	"slices"
)

// ChangeRow is one row of the table of changes.
type ChangeRow struct {
	Partition        int32
	Channel          string
	Target, Seq      int64
	Action           string
	User, Key        string
	Author, To       string
	ID, Body         string
	Type, Data, Name string
	Removed          bool
	Since            int64
	Reason           string
	Time             int64 // milliseconds
}

// changeRow is the row that a change must have become.
func changeRow(partition int, channel string, c *change) ChangeRow {
	r := ChangeRow{Partition: int32(partition), Channel: channel, Seq: c.seq, Time: c.time}
	if p := c.purge; p != nil {
		r.Action, r.User, r.Key, r.Author, r.ID, r.Since, r.Reason = "purge", p.by.GetUser(), p.by.GetKey(), p.user, p.id, p.since, p.reason
		return r
	}
	var row Row
	row.act(c.of)
	r.Target, r.User, r.Key, r.Author, r.To, r.ID = c.of.Target, c.of.User, c.of.Key, c.of.Author, c.of.To, c.of.Id
	r.Action, r.Body, r.Type, r.Data, r.Name, r.Removed, r.Reason = row.Action, row.Body, row.Type, row.Data, row.Name, row.Removed, row.Reason
	return r
}

// changeRows are the rows that the log means.
func (t *truth) changeRows() (all []ChangeRow) {
	for _, ch := range t.channels {
		for i := range ch.changes {
			all = append(all, changeRow(t.partitionOf(ch.name), ch.name, &ch.changes[i]))
		}
	}
	return all
}

// checkChangeRows checks that the table of changes is the log's up to the watermarks,
// nothing more, and in the end all of it.
func (c *check) checkChangeRows() {
	if c.ChangeRows == nil {
		return
	}
	rows := map[ChangeRow]int{}
	for _, r := range c.ChangeRows {
		if rows[r]++; rows[r] > 1 {
			c.violate(Projection, nil, r.Channel, r.Seq, "the row of a change is stored twice")
		}
	}
	want := c.truth.changeRows()
	slices.SortFunc(want, func(a, b ChangeRow) int {
		return cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Seq, b.Seq))
	})
	for _, r := range want {
		if rows[r] == 0 && (c.Drained || r.Seq <= c.Watermarks[r.Partition]) {
			c.violate(Projection, nil, r.Channel, r.Seq, "the table of changes lacks %+v", r)
		}
		delete(rows, r)
	}
	for r := range rows {
		c.violate(Projection, nil, r.Channel, r.Seq, "the table of changes has %+v, which the log has not", r)
	}
}

// ShownRow is a message as the view of messages has it.
type ShownRow struct {
	Channel          string
	Seq              int64
	Body, Type, Data string
	Reply            int64
	Edited, Deleted  int64
	Reactions        string // as JSON
}

// shownRows are the messages as the log has made them.
func (t *truth) shownRows() (all []ShownRow) {
	for _, ch := range t.channels {
		for i := range ch.messages {
			m := ch.messages[i].shown(ch.name, t.end(ch.name))
			r := ShownRow{Channel: ch.name, Seq: m.Seq, Body: m.Body, Type: m.Type, Data: string(m.Data), Reply: m.Reply}
			if m.Edited != nil {
				r.Edited = m.Edited.Seq
			}
			if m.Deleted != nil {
				r.Deleted = m.Deleted.Seq
			}
			counts := map[string]uint64{}
			for _, is := range m.Reactions {
				counts[is.Name] = uint64(is.Count)
			}
			r.Reactions = text(counts)
			all = append(all, r)
		}
	}
	return all
}

// checkShown checks, in the end, that the view shows the messages as they are.
func (c *check) checkShown() {
	if c.Shown == nil || !c.Drained {
		return
	}
	rows := map[ShownRow]bool{}
	for _, r := range c.Shown {
		rows[r] = true
	}
	for _, r := range c.truth.shownRows() {
		if !rows[r] {
			c.violate(Projection, nil, r.Channel, r.Seq, "the view of messages lacks %+v", r)
		}
		delete(rows, r)
	}
	for r := range rows {
		c.violate(Projection, nil, r.Channel, r.Seq, "the view of messages has %+v, which the log has not", r)
	}
}
