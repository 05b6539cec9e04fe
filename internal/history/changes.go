package history

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/sql"
)

// What fold reads of the table of changes, in one answer: of reactions the deciding one
// of each user and name, of edits the newest with their text, then all others of edits
// without it, deletions, and purges of who wrote the messages.
const (
	ofChannel = ` WHERE epoch = ? AND partition = ? AND channel = ? AND seq < ?`
	ofTargets = ofChannel + ` AND target >= ? AND target <= ? AND target IN ?`

	reactions = `SELECT target, max(seq) AS last, 'react' AS act, user, '' AS key, toString(name) AS name, argMax(removed, seq) AS off,
		'' AS body, '' AS type, '' AS data, toInt64(0) AS since, '' AS reason, toInt64(0) AS at, '' AS author
	FROM {changes}` + ofTargets + ` AND action = 'react' GROUP BY target, user, name{bound}`

	edits = `SELECT target, seq, 'edit', user, toString(key), '', toUInt8(0), body, toString(type), data, toInt64(0), '', toUnixTimestamp64Milli(time), ''
	FROM {changes}` + ofTargets + ` AND action = 'edit' AND (target, seq) IN (
		SELECT target, arrayJoin([max(seq), maxIf(seq, type != ''), maxIf(seq, data != '')]) FROM {changes}` + ofTargets + ` AND action = 'edit' GROUP BY target)`

	deletions = others + ` AND action = 'delete'`

	others = `SELECT target, seq, toString(action), user, toString(key), '', toUInt8(0), '', '', '', since, reason, toUnixTimestamp64Milli(time), author
	FROM {changes}` + ofTargets + ` AND action IN ('edit', 'delete')`

	purges = `SELECT target, seq, 'purge', user, toString(key), '', toUInt8(0), '', '', '', since, reason, toUnixTimestamp64Milli(time), author
	FROM {changes}` + ofChannel + ` AND target = 0 AND seq > ? AND since <= ? AND author IN ?`
)

// fold adds to f the changes below end that its messages have in ClickHouse.
func (s *store) fold(ctx context.Context, channel string, at location, end int64, f *folding) error {
	table := sql.Changes(at.generation)
	query, args := s.foldQuery(channel, at, end, f)
	return s.query(ctx, table, func(ctx context.Context) error {
		rows, err := s.db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		var older []change // edits without their text: they only count
		pairs := 0
		for rows.Next() {
			var c change
			if err := rows.Scan(c.columns()...); err != nil {
				return err
			}
			if c.action == "react" {
				if pairs++; f.maxPairs > 0 && pairs > f.maxPairs {
					f.over = true
					return nil
				}
			}
			if c.action == "edit" && c.body == "" {
				older = append(older, c)
				continue
			}
			f.add(c.target, c.change())
		}
		for i := range older {
			f.add(older[i].target, older[i].change())
		}
		return rows.Err()
	})
}

func (s *store) foldQuery(channel string, at location, end int64, f *folding) (string, []any) {
	users := make([]string, len(f.of))
	for i := range f.of {
		users[i] = f.of[i].User
	}
	slices.Sort(users)
	in := []any{at.epoch, at.partition, channel, end}
	targets, low, high := targetsOf(f.of)
	of := slices.Concat(in, targets)
	args, query := slices.Concat(of, of, of, of), reactions+` UNION ALL `+edits+` UNION ALL `+others+` UNION ALL `+purges
	if f.deletions {
		args, query = of, deletions+` UNION ALL `+purges
	}
	args = slices.Concat(args, in, []any{low, high, slices.Compact(users)})
	bound := ""
	if f.maxPairs > 0 {
		bound = fmt.Sprintf(` SETTINGS max_rows_to_group_by = %d, group_by_overflow_mode = 'break'`, f.maxPairs)
	}
	return strings.NewReplacer(`{changes}`, s.db.Table(sql.Changes(at.generation)), `{bound}`, bound).Replace(query), args
}

// targetsOf are the arguments of ofTargets after those of ofChannel, and the lowest and
// the highest seq of them.
func targetsOf(of []changes.Message) (args []any, low, high int64) {
	seqs := make([]int64, len(of))
	for i := range of {
		seqs[i] = of[i].Seq
	}
	low, high = slices.Min(seqs), slices.Max(seqs)
	return []any{low, high, seqs}, low, high
}

// foldable is how many of messages, the first of them, have no more reactions together
// than are folded at once; one at least.
func (s *store) foldable(ctx context.Context, channel string, at location, end int64, of []changes.Message) (n int, err error) {
	table := sql.Changes(at.generation)
	targets, _, _ := targetsOf(of)
	query := `SELECT target, uniq(user, name) FROM ` + s.db.Table(table) + ofTargets + ` AND action = 'react' GROUP BY target`
	pairs := map[int64]uint64{}
	err = s.query(ctx, table, func(ctx context.Context) error {
		rows, err := s.db.Query(ctx, query, append([]any{at.epoch, at.partition, channel, end}, targets...)...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var target int64
			var count uint64
			if err := rows.Scan(&target, &count); err != nil {
				return err
			}
			pairs[target] = count
		}
		return rows.Err()
	})
	for sum := uint64(0); n < len(of); n++ {
		if sum += pairs[of[n].Seq]; sum > maxPairs {
			break
		}
	}
	return max(1, n), err
}

// change is a row of what fold reads.
type change struct {
	target, seq, since, time         int64
	action, user, key, name          string
	body, kind, data, reason, author string
	removed                          uint8
}

func (c *change) columns() []any {
	return []any{&c.target, &c.seq, &c.action, &c.user, &c.key, &c.name, &c.removed, &c.body, &c.kind, &c.data, &c.since, &c.reason, &c.time, &c.author}
}

func (c *change) change() *changes.Change {
	done := &changes.Change{Seq: c.seq, Time: c.time, User: c.user, Key: c.key}
	if c.action == "purge" {
		done.Purge = &changes.Purge{User: c.author, Since: c.since, Reason: c.reason}
	} else {
		act(done, c.action, c.body, c.kind, c.data, c.name, c.reason, c.removed != 0)
	}
	return done
}
