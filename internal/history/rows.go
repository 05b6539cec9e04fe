package history

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/sql"
)

// maxSeq is above every seq.
const maxSeq = math.MaxInt64

// location is where the rows of a channel are.
type location struct {
	generation uint32
	epoch      string
	partition  int
	end        int64 // everything below it is stored
}

// rows reads the messages within sp, ascending, at most one more than its
// limit.
func (s *store) rows(ctx context.Context, q *Query, sp span, at location) ([]rpc.Message, error) {
	found := make([]rpc.Message, 0, sp.limit+1)
	inOrder := sp // of found, which is ascending in the end
	inOrder.newest = false
	for sp.from < sp.to && !inOrder.full(found) {
		want := sp.limit + 1 - len(found)
		if inOrder.bytes > 0 {
			sp.bytes = max(1, inOrder.bytes-textsOf(found))
		}
		rows, err := s.someRows(ctx, q, sp, at, want)
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			sp.continueAt(rows[len(rows)-1].Seq)
		}
		left := sp
		left.newest = false
		ended := len(rows) < want && !left.full(rows)
		// Rows that repeat a seq are equal within a generation. Dropping them
		// here lets the server read in the order of the key and stop early.
		found = append(found, slices.CompactFunc(rows, sameSeq)...)
		if ended {
			break
		}
	}
	if sp.newest {
		slices.Reverse(found)
	}
	return found, nil
}

// textsOf is how many bytes of text messages have.
func textsOf(messages []rpc.Message) (bytes int) {
	for i := range messages {
		bytes += textOf(&messages[i])
	}
	return bytes
}

func sameSeq(a, b rpc.Message) bool { return a.Seq == b.Seq }

// continueAt leaves the part of s after seq, in its direction.
func (s *span) continueAt(seq int64) {
	if s.newest {
		s.to = seq
	} else {
		s.from = seq + 1
	}
}

// someRows reads at most limit rows within sp, in its direction, repeats
// included.
func (s *store) someRows(ctx context.Context, q *Query, sp span, at location, limit int) ([]rpc.Message, error) {
	where, args := s.where(q, at)
	rows, err := s.events(ctx, q.Channel, at, sp, selection{chatColumns, where, args, limit})
	found := make([]rpc.Message, len(rows))
	for i := range rows {
		found[i] = rows[i].message
	}
	return found, err
}

// where selects the messages of a channel that the query asks for and its user may see.
func (s *store) where(q *Query, at location) (string, []any) {
	var b strings.Builder
	fmt.Fprintf(&b, ` FROM %s WHERE epoch = ? AND partition = ? AND channel = ? AND void = 0 AND kind = 'chat'`, s.db.Table(sql.Events(at.generation)))
	args := []any{at.epoch, at.partition, q.Channel}
	if !q.Everyone {
		b.WriteString(` AND ("to" = '' OR user = ? OR "to" = ?)`)
		args = append(args, q.User, q.User)
	}
	if q.Reply != 0 {
		b.WriteString(` AND reply = ?`)
		args = append(args, q.Reply)
	}
	if q.Author != "" {
		b.WriteString(` AND user = ?`)
		args = append(args, q.Author)
	}
	return b.String(), args
}

// What is read of events: of chats, and of changes besides.
const (
	chatColumns   = `seq, id, user, info, "to", body, type, data, reply, mentions, origin, key, toUnixTimestamp64Milli(time) AS at, trace`
	changeColumns = chatColumns + `, kind, action, target, author, name, removed, by, since, reason`
	textLength    = `length(body) + length(data) + length(info)`
)

// selection says which events are read.
type selection struct {
	columns string
	where   string // from FROM on
	args    []any
	limit   int
}

// events reads rows within sp, in its direction, repeats included. With bytes in sp the
// last of them may be one too many.
func (s *store) events(ctx context.Context, channel string, at location, sp span, sel selection) (found []row, err error) {
	order := "ASC"
	if sp.newest {
		order = "DESC"
	}
	args := append(sel.args, sp.from, sp.to, sel.limit)
	query := `SELECT ` + sel.columns + sel.where + ` AND seq >= ? AND seq < ? ORDER BY seq ` + order + ` LIMIT ?`
	if sp.bytes > 0 {
		query = `SELECT * EXCEPT ahead FROM (SELECT *, sum(` + textLength + `) OVER (ORDER BY seq ` + order +
			` ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS ahead FROM (` + query + `)) WHERE ahead <= ? ORDER BY seq ` + order
		args = append(args, sp.bytes)
	}
	err = s.query(ctx, sql.Events(at.generation), func(ctx context.Context) error {
		found = nil
		rows, err := s.db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			r := row{message: rpc.Message{Channel: channel}}
			if err := rows.Scan(r.columns(sel.columns == changeColumns)...); err != nil {
				return err
			}
			r.complete()
			found = append(found, r)
		}
		return rows.Err()
	})
	return found, err
}

// row is one event: a chat, or a change.
type row struct {
	message    rpc.Message
	info, data string
	origin     string

	kind, action, author, name, by, reason string
	target                                 int64
	removed                                uint8
	since                                  *int64
}

// columns are where the columns of a query go.
func (r *row) columns(changed bool) []any {
	m := &r.message
	all := []any{&m.Seq, &m.ID, &m.User, &r.info, &m.To, &m.Body, &m.Type, &r.data, &m.Reply, &m.Mentions, &r.origin, &m.Key, &m.Time, &m.Trace}
	if changed {
		all = append(all, &r.kind, &r.action, &r.target, &r.author, &r.name, &r.removed, &r.by, &r.since, &r.reason)
	}
	return all
}

// complete makes the message of what was read.
func (r *row) complete() {
	m := &r.message
	m.Info, m.Data = valueOf(r.info), valueOf(r.data)
	if len(m.Mentions) == 0 {
		m.Mentions = nil
	}
	if r.origin == "backend" {
		m.Origin = rpc.OriginBackend
	}
}

func valueOf(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// record is the change that the row is of; false: it is of a chat.
func (r *row) record() (changes.Record, bool) {
	m := &r.message
	c := changes.Record{Change: changes.Change{Seq: m.Seq, Time: m.Time, User: m.User, Key: m.Key}, ID: m.ID, Target: r.target, Author: r.author, To: m.To}
	switch {
	case r.kind == "chat":
		return c, false
	case r.kind != "change":
		c.User, c.Purge = r.by, &changes.Purge{User: m.User, Reason: r.reason}
		if r.since != nil {
			c.Purge.Since = *r.since
		}
	default:
		act(&c.Change, r.action, m.Body, m.Type, r.data, r.name, r.reason, r.removed != 0)
	}
	return c, true
}

// act sets what a change does, as the tables have it.
func act(c *changes.Change, action, body, kind, data, name, reason string, removed bool) {
	switch action {
	case "edit":
		c.Edit = &changes.Edit{Body: body, Type: named(kind, rpc.TypeText), Data: named(data, "null")}
	case "delete":
		c.Delete = &changes.Delete{Reason: reason}
	case "react":
		c.React = &changes.React{Name: name, Remove: removed}
	}
}

// named is a field of an edit: nil where it has none, none where the edit takes the
// value away.
func named(text, away string) *string {
	switch text {
	case "":
		return nil
	case away:
		text = ""
	}
	return &text
}
