package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/sql"
)

// wants reports whether a change is one of a page forward. From the log alone, nothing
// is known of messages before its beginning.
func (x *reading) wants(c *changes.Record) bool {
	q := x.q
	if x.at.generation == 0 && c.Purge == nil && c.Target < x.at.end {
		return false
	}
	return c.Target <= q.After && (q.Everyone || c.VisibleTo(q.User)) && (c.React != nil || c.Seq > q.After)
}

// chunk reads the log from an offset on: as much of it as has a little more than there
// is room for.
func (x *reading) chunk(ctx context.Context, w *walk, from int64) (c chunk, err error) {
	q := x.q
	s := span{from: max(from, min(q.After, maxSeq-1)+1), to: q.End, limit: max(0, q.Limit-w.count())}
	if q.Bytes > 0 {
		s.bytes = max(1, q.Bytes-w.size)
	}
	c.to = q.End
	low := s
	low.to = x.stored()
	if low.from < low.to {
		if c.items, c.to, err = x.store.entries(ctx, q, x.at, low); err != nil {
			return c, err
		}
	}
	if c.to >= low.to && low.to < q.End {
		c.to = q.End
		if err = x.chunkOfLog(ctx, s, &c); err != nil {
			return c, err
		}
	}
	if from < x.stored() {
		var firsts []item
		if firsts, c.to, err = x.store.reacted(ctx, q, x.at, from, min(c.to, x.stored()), c.to); err != nil {
			return c, err
		}
		c.items = append(c.items, firsts...)
	}
	c.items = append(c.items, x.firsts(from, c.to)...)
	c.items = slices.DeleteFunc(c.items, func(it item) bool { return it.seq >= c.to })
	slices.SortFunc(c.items, func(a, b item) int { return cmp.Compare(a.seq, b.seq) })
	return c, nil
}

// chunkOfLog adds what is not in ClickHouse, without reactions.
func (x *reading) chunkOfLog(ctx context.Context, s span, c *chunk) error {
	s.from = max(s.from, x.at.end)
	messages, err := x.readLog(ctx, s)
	if err != nil {
		return err
	}
	if s.full(messages) {
		c.to = messages[len(messages)-1].Seq + 1
	}
	for i := range messages {
		c.items = append(c.items, item{seq: messages[i].Seq, message: &messages[i]})
	}
	for i := range x.changes {
		if r := &x.changes[i]; r.React == nil && r.Seq >= s.from && r.Seq < c.to && x.wants(r) {
			c.items = append(c.items, item{seq: r.Seq, change: *r})
		}
	}
	return nil
}

// firsts are, of the changes that are not in ClickHouse, the first reaction within
// [from, to) to each message with each name.
func (x *reading) firsts(from, to int64) (found []item) {
	type key struct {
		target int64
		name   string
	}
	seen := map[key]bool{}
	for i := range x.changes {
		r := &x.changes[i]
		if r.React == nil || r.Seq < from || r.Seq >= to || !x.wants(r) || seen[key{r.Target, r.React.Name}] {
			continue
		}
		seen[key{r.Target, r.React.Name}] = true
		found = append(found, item{seq: r.Seq, change: *r})
	}
	return found
}

// entries reads messages within sp, and edits, deletions and purges of those at or
// below After, and the offset below which they are all.
func (s *store) entries(ctx context.Context, q *Query, at location, sp span) (found []item, to int64, err error) {
	seen, changed, args := "", "", []any{at.epoch, at.partition, q.Channel}
	if !q.Everyone {
		seen, changed = ` AND ("to" = '' OR user = ? OR "to" = ?)`, ` AND ("to" = '' OR author = ? OR "to" = ?)`
		args = append(args, q.User, q.User)
	}
	if args = append(args, q.After); !q.Everyone {
		args = append(args, q.User, q.User)
	}
	where := fmt.Sprintf(` FROM %s WHERE epoch = ? AND partition = ? AND channel = ? AND void = 0 AND (kind = 'chat'%s
		OR kind = 'change' AND action != 'react' AND target <= ?%s OR kind = 'purge' OR kind = 'sanction' AND since IS NOT NULL)`, s.db.Table(sql.Events(at.generation)), seen, changed)
	rows, err := s.events(ctx, q.Channel, at, sp, selection{changeColumns, where, args, sp.limit + 1})
	size := 0
	for i := range rows {
		it := item{seq: rows[i].message.Seq}
		size += textOf(&rows[i].message)
		if i > 0 && rows[i-1].message.Seq == it.seq {
			continue
		}
		if c, is := rows[i].record(); is {
			it.change = c
		} else {
			it.message = &rows[i].message
		}
		found = append(found, it)
	}
	if len(rows) > sp.limit || sp.bytes > 0 && size > sp.bytes {
		return found, rows[len(rows)-1].message.Seq + 1, err
	}
	return found, sp.to, err
}

// maxFirsts is how many reactions a part of a page forward is of, at most.
const maxFirsts = 10_000

// reacted reads the first reaction within [from, to) to each message at or below After
// with each name. upTo is below which a page would have all it has; it is less where
// there are too many.
func (s *store) reacted(ctx context.Context, q *Query, at location, from, to, upTo int64) (found []item, complete int64, err error) {
	seen, args := "", []any{at.epoch, at.partition, q.Channel, from, to, q.After}
	if !q.Everyone {
		seen = ` AND ("to" = '' OR author = ? OR "to" = ?)`
		args = append(args, q.User, q.User)
	}
	query := fmt.Sprintf(`SELECT target, toString(name) AS named, any(author), min(seq) AS first FROM %s WHERE epoch = ? AND partition = ? AND channel = ? AND seq >= ? AND seq < ?
		AND void = 0 AND kind = 'change' AND action = 'react' AND target <= ?%s GROUP BY target, named ORDER BY first LIMIT %d`, s.db.Table(sql.Events(at.generation)), seen, maxFirsts)
	err = s.query(ctx, sql.Events(at.generation), func(ctx context.Context) error {
		found = nil
		rows, err := s.db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			c := changes.Record{Change: changes.Change{React: &changes.React{}}}
			if err := rows.Scan(&c.Target, &c.React.Name, &c.Author, &c.Seq); err != nil {
				return err
			}
			found = append(found, item{seq: c.Seq, change: c})
		}
		return rows.Err()
	})
	if len(found) == maxFirsts {
		upTo = found[len(found)-1].seq + 1
	}
	return found, upTo, err
}
