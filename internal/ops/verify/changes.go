package verify

import (
	"context"
	"errors"
	"fmt"
)

// changedFrom is what table changes should hold of table events: the columns that
// count, of what is not void.
const changedFrom = `seq, channel, target, if(kind = 'change', action, 'purge') AS act, if(kind = 'change', user, "by") AS who, key,
	if(kind = 'change', author, user) AS whose, "to", id, body, type, data, name, removed, ifNull(since, 0) AS from_seq, reason, toUnixTimestamp64Milli(time) AS at, version`

const changedIn = `seq, channel, target, toString(action) AS act, user AS who, key, author AS whose, "to", id, body, type, data, name, removed,
	since AS from_seq, reason, toUnixTimestamp64Milli(time) AS at, version`

// changesCheck compares table changes with table events, up to a seq: the events
// are compared with the log. Parts of the tables are compared by their sums, and
// only those that differ row by row.
type changesCheck struct {
	s         *store
	partition int
	upTo      int64
}

func (c *changesCheck) run(ctx context.Context, differ func(seq int64, channel, what string)) error {
	rows, err := c.s.db.Query(ctx, `SELECT intDiv(seq, ?) AS part, groupBitXor(h) AS x FROM (
			SELECT seq, cityHash64(*) AS h FROM (`+c.wanted()+`) UNION ALL SELECT seq, cityHash64(*) AS h FROM (`+c.found()+`)
		) GROUP BY part HAVING x != 0 ORDER BY part LIMIT 100`,
		append([]any{chunk}, append(c.args(0, c.upTo), c.args(0, c.upTo)...)...)...)
	if err != nil {
		return fmt.Errorf("compare the changes in ClickHouse: %w", err)
	}
	var parts []int64
	for rows.Next() {
		var part int64
		var sum uint64
		if err := rows.Scan(&part, &sum); err != nil {
			return errors.Join(err, rows.Close())
		}
		parts = append(parts, part)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return fmt.Errorf("compare the changes in ClickHouse: %w", err)
	}
	for _, part := range parts {
		if err := c.list(ctx, part*chunk, min((part+1)*chunk-1, c.upTo), differ); err != nil {
			return fmt.Errorf("compare the changes in ClickHouse: %w", err)
		}
	}
	return nil
}

// list tells how the tables differ in a part.
func (c *changesCheck) list(ctx context.Context, from, to int64, differ func(seq int64, channel, what string)) error {
	rows, err := c.s.db.Query(ctx, `SELECT seq, any(channel), sum(side) FROM (
			SELECT seq, channel, cityHash64(*) AS h, 1 AS side FROM (`+c.wanted()+`) UNION ALL
			SELECT seq, channel, cityHash64(*) AS h, 2 AS side FROM (`+c.found()+`)
		) GROUP BY seq HAVING count() != 2 OR uniqExact(h) != 1 ORDER BY seq LIMIT 1000`, append(c.args(from, to), c.args(from, to)...)...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var seq int64
		var channel string
		var sides uint64
		if err := rows.Scan(&seq, &channel, &sides); err != nil {
			return err
		}
		switch sides {
		case 1:
			differ(seq, channel, "the change is not among the changes of its message")
		case 2:
			differ(seq, channel, "there is a change of a message, but no such event")
		default:
			differ(seq, channel, "the change of the message differs from its event")
		}
	}
	return rows.Err()
}

func (c *changesCheck) wanted() string {
	return `SELECT ` + changedFrom + ` FROM ` + c.s.events() + ` FINAL WHERE epoch = ? AND partition = ? AND seq >= ? AND seq <= ?
		AND void = 0 AND (kind IN ('change', 'purge') OR kind = 'sanction' AND since IS NOT NULL)`
}

func (c *changesCheck) found() string {
	return `SELECT ` + changedIn + ` FROM ` + c.s.changes() + ` FINAL WHERE epoch = ? AND partition = ? AND seq >= ? AND seq <= ?`
}

func (c *changesCheck) args(from, to int64) []any {
	return []any{c.s.epoch, c.partition, from, to}
}
