package history

import (
	"context"
	"fmt"

	"github.com/parley-chat/parley/schema/sql"
)

// fewRows is how many rows are looked at for a page of few messages among many.
const fewRows = 100_000

// narrow leaves, for a query of few messages, the part of s that is looked at, in its
// direction. ended is where the next page goes on; it is left alone where all of s is
// looked at.
func (x *reading) narrow(ctx context.Context, s *span, ended *int64) error {
	if !x.q.few() || s.from >= s.to {
		return nil
	}
	last, more, err := x.store.reach(ctx, x.q, *s, x.at, fewRows)
	switch {
	case err != nil || !more:
		return err
	case s.newest:
		s.from, *ended = last+1, last+1
	default:
		s.to, *ended = last, last-1
	}
	return nil
}

// reach is the seq of the first row of a channel after n others within s, in its
// direction; false: there are no more than n.
func (s *store) reach(ctx context.Context, q *Query, sp span, at location, n int) (seq int64, more bool, err error) {
	order := "ASC"
	if sp.newest {
		order = "DESC"
	}
	var found []int64
	query := fmt.Sprintf(`SELECT groupArray(seq) FROM (SELECT seq FROM %s WHERE epoch = ? AND partition = ? AND channel = ? AND seq >= ? AND seq < ? ORDER BY seq %s LIMIT 1 OFFSET %d)`,
		s.db.Table(sql.Events(at.generation)), order, n)
	err = s.query(ctx, sql.Events(at.generation), func(ctx context.Context) error {
		return s.db.QueryRow(ctx, query, at.epoch, at.partition, q.Channel, sp.from, sp.to).Scan(&found)
	})
	if err != nil || len(found) == 0 {
		return 0, false, err
	}
	return found[0], true, nil
}

// goOn says where the next page goes on, of a query of few messages: at the end of what
// was taken where there was more than that, else where the rows that are looked at ended.
func (p *part) goOn(s *span, ended int64) {
	n := len(p.messages)
	switch {
	case p.more && n == 0 && s.newest: // none was asked for
		p.next = s.to
	case p.more && n == 0:
		p.next = s.from - 1
	case p.more && s.newest:
		p.next = p.messages[0].Seq
	case p.more:
		p.next = p.messages[n-1].Seq
	case ended >= 0:
		p.more, p.next = true, ended
	}
}
