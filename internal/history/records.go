package history

import (
	"context"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/sql"
)

// What Page.Records holds at most, and how much further back than the page's messages
// they reach: reactions are pushed late.
const (
	maxRecords     = 4096
	maxRecordBytes = 1 << 20
	recordsBefore  = 4096
)

// records adds to a page the newest changes of the channel, where the query asks for
// them: from a little before its messages on.
func (x *reading) records(ctx context.Context, p *Page) error {
	if !x.q.Records {
		return nil
	}
	from := int64(0)
	if len(p.Messages) > 0 && p.More {
		from = max(0, p.Messages[0].Seq-recordsBefore)
	}
	if x.at.generation == 0 {
		from = max(from, x.at.end)
	}
	first, _ := slices.BinarySearchFunc(x.changes, from, func(c changes.Record, seq int64) int { return int(c.Seq - seq) })
	all, from := newest(x.changes[first:], from)
	if from < x.stored() && len(all) < maxRecords {
		s := span{from: from, to: x.stored(), limit: maxRecords - len(all), bytes: max(1, maxRecordBytes-recordBytes(all)), newest: true}
		older, complete, err := x.store.changes(ctx, x.q.Channel, x.at, s)
		if err != nil {
			return err
		}
		all, from = newest(append(older, all...), complete)
	}
	p.Records, p.RecordsFrom = all, from
	if p.Records == nil {
		p.Records = []changes.Record{}
	}
	return nil
}

// newest are the newest of changes that are all from a seq on, as many as Records
// holds, and from where on they are all.
func newest(all []changes.Record, from int64) ([]changes.Record, int64) {
	size := 0
	for i := len(all) - 1; i >= 0; i-- {
		if size += sizeOf(&all[i]); len(all)-i > maxRecords || size > maxRecordBytes {
			return slices.Clone(all[i+1:]), all[i].Seq + 1
		}
	}
	return slices.Clone(all), from
}

func recordBytes(all []changes.Record) (bytes int) {
	for i := range all {
		bytes += sizeOf(&all[i])
	}
	return bytes
}

// recordCost is what a change takes besides its text.
const recordCost = 288

// sizeOf is about what a change takes.
func sizeOf(c *changes.Record) int { return recordCost + textOfChange(c) }

// textOfChange is how many bytes of text a change has.
func textOfChange(c *changes.Record) (n int) {
	switch {
	case c.Edit != nil:
		if n = len(c.Edit.Body); c.Edit.Data != nil {
			n += len(*c.Edit.Data)
		}
	case c.Delete != nil:
		n = len(c.Delete.Reason)
	case c.Purge != nil:
		n = len(c.Purge.Reason)
	}
	return n
}

// changes reads the newest changes of a channel within s, ascending, and says from
// where on they are all. At most sp.limit rows are read, and about sp.bytes of text.
func (s *store) changes(ctx context.Context, channel string, at location, sp span) (found []changes.Record, from int64, err error) {
	where := fmt.Sprintf(` FROM %s WHERE epoch = ? AND partition = ? AND channel = ? AND void = 0 AND (kind IN ('change', 'purge') OR kind = 'sanction' AND since IS NOT NULL)`,
		s.db.Table(sql.Events(at.generation)))
	rows, err := s.events(ctx, channel, at, sp, selection{changeColumns, where, []any{at.epoch, at.partition, channel}, sp.limit})
	if err != nil {
		return nil, 0, err
	}
	from, size := sp.from, 0
	for i := len(rows) - 1; i >= 0; i-- {
		size += textOf(&rows[i].message)
		if c, is := rows[i].record(); is && (len(found) == 0 || found[len(found)-1].Seq != c.Seq) {
			found = append(found, c)
		}
	}
	if len(found) > 0 && (len(rows) == sp.limit || size > sp.bytes) { // there may be more
		from = found[0].Seq
	}
	return found, from, nil
}
