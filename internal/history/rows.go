package history

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/parley-chat/parley/schema"
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
	if q.Silent && sp.from < sp.to && at.epoch == s.cfg.Epoch.Epoch {
		if silent, err := s.silent(ctx, q.Channel, at); silent || err != nil {
			return nil, err
		}
	}
	found := make([]rpc.Message, 0, sp.limit+1)
	inOrder := sp // of found, which is ascending in the end
	inOrder.newest = false
	for sp.from < sp.to && !inOrder.full(found) {
		want := sp.limit + 1 - len(found)
		if inOrder.bytes > 0 {
			sp.bytes = max(1, inOrder.bytes-textOf(found))
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

// textOf is how many bytes of text messages have.
func textOf(messages []rpc.Message) (bytes int) {
	for i := range messages {
		bytes += len(messages[i].Body)
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
	order := "ASC"
	if sp.newest {
		order = "DESC"
	}
	where, args := s.where(q, at)
	args = append(args, sp.from, sp.to, limit)
	query := `SELECT seq, id, user, "to", body, toUnixTimestamp64Milli(time) AS at, trace` + where +
		` AND seq >= ? AND seq < ? ORDER BY seq ` + order + ` LIMIT ?`
	if sp.bytes > 0 { // the last of them is one too many
		query = `SELECT seq, id, user, "to", body, at, trace FROM (SELECT *, sum(length(body)) OVER (ORDER BY seq ` + order +
			` ROWS BETWEEN UNBOUNDED PRECEDING AND 2 PRECEDING) AS ahead FROM (` + query + `)) WHERE ahead <= ? ORDER BY seq ` + order
		args = append(args, sp.bytes)
	}
	var found []rpc.Message
	err := s.query(ctx, sql.Events(at.generation), func(ctx context.Context) error {
		found = nil
		rows, err := s.db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			m := rpc.Message{Channel: q.Channel}
			if err := rows.Scan(&m.Seq, &m.ID, &m.User, &m.To, &m.Body, &m.Time, &m.Trace); err != nil {
				return err
			}
			found = append(found, m)
		}
		return rows.Err()
	})
	return found, err
}

// where selects the messages of a channel that the query's user may see.
func (s *store) where(q *Query, at location) (string, []any) {
	var b strings.Builder
	fmt.Fprintf(&b, ` FROM %s WHERE epoch = ? AND partition = ? AND channel = ? AND kind = 'chat' AND void = 0`, s.db.Table(sql.Events(at.generation)))
	args := []any{at.epoch, at.partition, q.Channel}
	if !q.Everyone {
		b.WriteString(` AND ("to" = '' OR user = ? OR "to" = ?)`)
		args = append(args, q.User, q.User)
	}
	return b.String(), args
}

// pastEpoch is an epoch that history was written for.
type pastEpoch struct {
	name       string
	partitions int
}

// allEpochs are the known epochs, newest first.
func (s *store) allEpochs(ctx context.Context) ([]pastEpoch, error) {
	s.mu.Lock()
	known := s.epochs
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	var found []pastEpoch
	err := s.query(ctx, sql.Epochs, func(ctx context.Context) error {
		found = nil
		rows, err := s.db.Query(ctx, `SELECT epoch, any(partitions) FROM `+s.db.Table(sql.Epochs)+` GROUP BY epoch ORDER BY min(first_seen) DESC, epoch DESC`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var partitions int32
			if err := rows.Scan(&name, &partitions); err != nil {
				return err
			}
			found = append(found, pastEpoch{name, int(partitions)})
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(found, func(e pastEpoch) bool { return e.name == s.cfg.Epoch.Epoch }) {
		s.mu.Lock()
		s.epochs = found // complete: the next epoch is another reader's
		s.mu.Unlock()
	}
	return found, nil
}

// partitionsOf is the number of partitions of an earlier epoch.
func (s *store) partitionsOf(ctx context.Context, epoch string) (int, error) {
	all, err := s.allEpochs(ctx)
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		if e.name == epoch {
			return e.partitions, nil
		}
	}
	return 0, ErrEpoch
}

// olderEpoch is the newest epoch before epoch that has messages of the channel
// that the query's user may see; "" if there is none.
func (s *store) olderEpoch(ctx context.Context, q *Query, epoch string, generation uint32) (string, error) {
	if generation == 0 {
		return "", nil
	}
	all, err := s.allEpochs(ctx)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(all, func(e pastEpoch) bool { return e.name == epoch }); i >= 0 {
		all = all[i+1:]
	}
	for _, e := range all {
		at := location{generation: generation, epoch: e.name, partition: schema.PartitionOf(q.Channel, e.partitions)}
		where, args := s.where(q, at)
		var n uint8
		err := s.query(ctx, sql.Events(generation), func(ctx context.Context) error {
			return s.db.QueryRow(ctx, `SELECT toUInt8(count() > 0) FROM (SELECT 1`+where+` LIMIT 1)`, args...).Scan(&n)
		})
		if err != nil {
			return "", err
		}
		if n > 0 {
			return e.name, nil
		}
	}
	return "", nil
}
