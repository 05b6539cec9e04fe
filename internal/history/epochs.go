package history

import (
	"context"
	"slices"

	"github.com/oklog/ulid/v2"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// pastEpoch is an epoch that history was written for.
type pastEpoch struct {
	name       string
	partitions int
	began      int64 // about when, in milliseconds
}

// beganAt is when an epoch began: its name tells, unless it is another one's. It may have
// been seen later than that, by an empty ClickHouse.
func beganAt(name string, seen int64) int64 {
	if id, err := ulid.ParseStrict(name); err == nil {
		return min(seen, int64(id.Time()))
	}
	return seen
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
		rows, err := s.db.Query(ctx, `SELECT epoch, any(partitions), toUnixTimestamp64Milli(min(first_seen)) FROM `+s.db.Table(sql.Epochs)+` GROUP BY epoch ORDER BY min(first_seen) DESC, epoch DESC`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var name string
			var partitions int32
			var began int64
			if err := rows.Scan(&name, &partitions, &began); err != nil {
				return err
			}
			found = append(found, pastEpoch{name, int(partitions), beganAt(name, began)})
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

// FirstEpoch reports whether ClickHouse is known to have no epoch but the current one.
// It does no I/O: as long as no read has asked for the epochs, it is false.
func (r *Reader) FirstEpoch() bool {
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	return len(r.store.epochs) == 1
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
	any := *q
	any.Reply, any.Author = 0, "" // which would be looked for in all of them
	if i := slices.IndexFunc(all, func(e pastEpoch) bool { return e.name == epoch }); i >= 0 {
		all = all[i+1:]
	}
	for _, e := range all {
		at := location{generation: generation, epoch: e.name, partition: schema.PartitionOf(q.Channel, e.partitions)}
		where, args := s.where(&any, at)
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

// lastOf is the watermark of a partition of an earlier epoch.
func (s *store) lastOf(ctx context.Context, at location) (last int64, err error) {
	err = s.query(ctx, sql.Watermarks(at.generation), func(ctx context.Context) error {
		return s.db.QueryRow(ctx, `SELECT max(seq) FROM `+s.db.Table(sql.Watermarks(at.generation))+` WHERE epoch = ? AND partition = ?`,
			at.epoch, at.partition).Scan(&last)
	})
	return last, err
}
