package history

import (
	"context"
	"math"
	"strings"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// maxTime is the latest time that the tables can hold, in milliseconds.
const maxTime = math.MaxInt64 / 1_000_000

// leastCandidates is how many are read at once at least: some do not match any more.
const leastCandidates = 16

// fromIndex has ClickHouse answer hasAllTokens from the index of words alone: where it
// filters by the newest times so far, it makes the tokens of each body again. needsIndex
// has it refuse where tables do not have the index yet, and the words would be others.
const (
	fromIndex  = ` SETTINGS use_top_k_dynamic_filtering = 0`
	needsIndex = ` SETTINGS force_data_skipping_indices = 'by_tokens', use_skip_indexes = 1`
)

// period is a part of time, in milliseconds: from <= time < to.
type period struct{ from, to int64 }

// candidates are the newest messages of a period after x.after whose text, as it was
// sent or as any of its edits has it, has the words: sorted, with repeats, a few
// more than the limit at most. With ended there are no others.
func (s *store) candidates(ctx context.Context, x *searching, e pastEpoch, p period) (found []Hit, ended bool, err error) {
	query, args, limit := s.candidatesQuery(x, e, p)
	size := 0
	err = s.query(ctx, sql.Events(x.generation), func(ctx context.Context) error {
		found, size = nil, 0
		rows, err := s.db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(append([]any{&r.message.Channel}, r.columns(false)...)...); err != nil {
				return err
			}
			r.complete()
			size += textOf(&r.message)
			found = append(found, Hit{Message: r.message, Epoch: e.name})
		}
		return rows.Err()
	})
	return found, len(found) < limit && (x.s.Bytes == 0 || size <= x.s.Bytes), err
}

func (s *store) candidatesQuery(x *searching, e pastEpoch, p period) (query string, args []any, limit int) {
	limit = max(x.s.Limit+1-len(x.found.Hits), leastCandidates)
	events := s.db.Table(sql.Events(x.generation))
	const order = ` ORDER BY time DESC, channel DESC, seq DESC`
	const newest = order + ` LIMIT ?`
	var b strings.Builder
	add := func(text string, with ...any) { b.WriteString(text); args = append(args, with...) }
	chats := func() {
		add(`SELECT channel, `+chatColumns+`, time FROM `+events+` WHERE epoch = ? AND void = 0 AND kind = 'chat'`, e.name)
		add(` AND time >= fromUnixTimestamp64Milli(?) AND time < fromUnixTimestamp64Milli(?)`, p.from, p.to)
		if x.after.Epoch != "" {
			add(` AND (toUnixTimestamp64Milli(time), channel, seq) < (?, ?, ?)`, x.after.Time, x.after.Channel, x.after.Seq)
		}
	}
	found := func(author string) {
		where, with := x.where(author)
		add(where, with...)
		if len(x.s.Channels) == 1 { // of many it takes longer to look for pairs than it saves
			add(` AND partition = ?`, schema.PartitionOf(x.s.Channels[0], e.partitions))
		}
	}
	add(`SELECT * EXCEPT time FROM (`)
	if x.edited[e.name] {
		add(`SELECT * FROM (`)
	}
	chats()
	found("user")
	add(newest+needsIndex, limit)
	if x.edited[e.name] {
		add(` UNION ALL `)
		chats()
		add(` AND (partition, channel, seq) IN (SELECT partition, channel, target FROM `+s.db.Table(sql.Changes(x.generation))+` WHERE epoch = ? AND action = 'edit'`, e.name)
		found("author")
		add(needsIndex+`)`+newest+`)`+newest, limit, limit)
	}
	add(`) QUALIFY sum(`+textLength+`) OVER (`+order+` ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) <= ?`+order+fromIndex, bytesOr(x.s.Bytes))
	return b.String(), args, limit
}

// where selects, of messages or of edits, those with the words in the channels, which the
// user may see; author names the column of whose the message is.
func (x *searching) where(author string) (string, []any) {
	where, args := ` AND channel IN ?`, []any{x.s.Channels}
	if !x.s.Everyone {
		where += ` AND ("to" = '' OR ` + author + ` = ? OR "to" = ?)`
		args = append(args, x.s.User, x.s.User)
	}
	if x.s.Author != "" {
		where += ` AND ` + author + ` = ?`
		args = append(args, x.s.Author)
	}
	return where + ` AND hasAllTokens(body, ?)`, append(args, x.s.Words.Tokens())
}

// editedIn are the epochs in which an edit has the words.
func (s *store) editedIn(ctx context.Context, x *searching) (epochs map[string]bool, err error) {
	query, args := s.editedQuery(x)
	err = s.query(ctx, sql.Changes(x.generation), func(ctx context.Context) (err error) {
		epochs, err = s.names(ctx, query, args...)
		return err
	})
	return epochs, err
}

func (s *store) editedQuery(x *searching) (query string, args []any) {
	where, args := x.where("author")
	return `SELECT DISTINCT epoch FROM ` + s.db.Table(sql.Changes(x.generation)) + ` WHERE action = 'edit'` + where + needsIndex, args
}

// changed are the channels of readings where ClickHouse may have changes of the rows: of
// one of their seqs, or a purge. It is asked after the watermarks of the readings were
// read, so it misses none below them.
func (s *store) changed(ctx context.Context, readings []*reading, rows []Hit) (map[string]bool, error) {
	at := readings[0].at
	table := sql.Changes(at.generation)
	args := []any{at.epoch}
	for _, y := range readings {
		args = append(args, y.at.partition, y.q.Channel)
	}
	seqs := make([]int64, len(rows), len(rows)+1)
	for i := range rows {
		seqs[i] = rows[i].Seq
	}
	query := `SELECT DISTINCT channel FROM ` + s.db.Table(table) + ` WHERE epoch = ? AND (partition, channel) IN (` + inPairs(len(readings)) + `) AND target IN ?`
	var all map[string]bool
	err := s.query(ctx, table, func(ctx context.Context) (err error) {
		all, err = s.names(ctx, query, append(args, append(seqs, 0))...)
		return err
	})
	return all, err
}

// bytesOr is n, or no bound for 0.
func bytesOr(n int) int64 {
	if n == 0 {
		return math.MaxInt64
	}
	return int64(n)
}
