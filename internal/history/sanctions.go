package history

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/sql"
)

// Sanctions returns the mutes and bans of a channel that nobody had lifted as of q.End,
// of up to q.Limit users that follow after, and of as many as q.Bytes has room for, one
// at least. Of q it uses the channel besides, and what spares reads of the log. Its
// errors are those of Read.
func (r *Reader) Sanctions(ctx context.Context, q Query, after string) (rpc.SanctionsResult, error) {
	ctx, span := r.tracer.History(ctx)
	found, err := r.sanctions(ctx, &q, after)
	if clickhouse.IsMissing(err) { // its tables were dropped since the watermark was read
		found, err = r.sanctions(ctx, &q, after)
	}
	span.Messages(0, err)
	return found, err
}

func (r *Reader) sanctions(ctx context.Context, q *Query, after string) (rpc.SanctionsResult, error) {
	none := rpc.SanctionsResult{}
	at, err := r.locate(ctx, q)
	if err != nil {
		return none, err
	}
	x := reading{Reader: r, q: q, at: at}
	newer, err := x.sanctions(ctx, after)
	if err != nil {
		return none, err
	}
	// As many more as the newer ones may lift.
	all, err := r.store.sanctions(ctx, &x, after, q.Limit+1+len(newer))
	if err != nil {
		return none, err
	}
	for _, s := range newer {
		is := all[s.of.User]
		is.apply(&s)
		all[s.of.User] = is
	}
	return q.sanctions(all), nil
}

// sanctions are a page of those that are there.
func (q *Query) sanctions(all map[string]standing) rpc.SanctionsResult {
	maps.DeleteFunc(all, func(_ string, s standing) bool { return s.mute == nil && s.ban == nil })
	r, size := rpc.SanctionsResult{Sanctions: []rpc.Sanction{}}, 0
	for i, user := range slices.Sorted(maps.Keys(all)) {
		s := all[user]
		size += s.size()
		if r.More = i == q.Limit || i > 0 && q.Bytes > 0 && size > q.Bytes; r.More {
			break
		}
		for _, of := range []*rpc.Sanction{s.mute, s.ban} {
			if of != nil {
				r.Sanctions = append(r.Sanctions, *of)
			}
		}
	}
	return r
}

// standing is what nobody lifted of a user's mute and ban.
type standing struct{ mute, ban *rpc.Sanction }

// sanctionCost is what the JSON of a sanction takes besides its texts.
const sanctionCost = 128

// size is about how many bytes of JSON it takes.
func (s *standing) size() (n int) {
	for _, of := range []*rpc.Sanction{s.mute, s.ban} {
		if of != nil {
			n += sanctionCost + len(of.User) + len(of.Reason) + len(of.By.User) + len(of.By.Key)
		}
	}
	return n
}

// apply is what a later sanction of the user makes of it. What has ended by then goes,
// as in the fold of the workers.
func (s *standing) apply(e *sanctioned) {
	s.mute, s.ban = unended(s.mute, e.time), unended(s.ban, e.time)
	now := &rpc.Sanction{
		User: e.of.User, Action: e.of.Action.Name(), Until: e.of.Until, Reason: e.of.Reason,
		By: rpc.Author{User: e.of.By.GetUser(), Key: e.of.By.GetKey()}, Seq: e.seq,
	}
	switch e.of.Action {
	case schema.Sanction_ACTION_MUTE:
		s.mute = now
	case schema.Sanction_ACTION_BAN:
		s.ban = now
	case schema.Sanction_ACTION_LIFT:
		*s = standing{}
	case schema.Sanction_ACTION_LIFT_MUTE:
		s.mute = nil
	case schema.Sanction_ACTION_LIFT_BAN:
		s.ban = nil
	}
}

func unended(s *rpc.Sanction, time int64) *rpc.Sanction {
	if s != nil && s.Until != 0 && s.Until <= time {
		return nil
	}
	return s
}

// sanctioned is a sanction in the log.
type sanctioned struct {
	seq, time int64
	of        *schema.Sanction
	void      bool // where the read judges
}

// sanctions are those of users that follow after which are not in ClickHouse.
func (x *reading) sanctions(ctx context.Context, after string) (found []sanctioned, err error) {
	q := x.q
	if x.at.end >= q.End {
		return nil, nil
	}
	r, err := x.tail().await(ctx, q, x.at.end, q.End)
	if err != nil {
		return nil, err
	}
	for _, s := range r.channels[q.Channel].sanctions {
		void := s.void
		if !r.judge {
			_, void = slices.BinarySearch(q.Voids, s.seq)
		}
		if s.seq >= x.at.end && s.seq < q.End && s.of.User > after && !void {
			found = append(found, s)
		}
	}
	return found, nil
}

// standingSanctions finds the newest sanction of each user that decides about a mute, and
// about a ban, and the time of the last one after each, of any action.
const standingSanctions = `SELECT user,
		argMaxIf(tuple(seq, until, reason, by, key, action, later), seq, action IN ('mute', 'lift', 'lift_mute')) AS m,
		argMaxIf(tuple(seq, until, reason, by, key, action, later), seq, action IN ('ban', 'lift', 'lift_ban')) AS b,
		if(m.6 = 'mute' AND (m.2 = 0 OR m.7 < m.2), m.1, 0) AS muted, if(b.6 = 'ban' AND (b.2 = 0 OR b.7 < b.2), b.1, 0) AS banned
	FROM (
		SELECT user, seq, until, reason, by, key, action,
			max(at) OVER (PARTITION BY user ORDER BY seq ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS later
		FROM (
			SELECT user, seq, until, reason, by, toString(key) AS key, toString(action) AS action, toUnixTimestamp64Milli(time) AS at
			FROM %s` + ofChannel + ` AND kind = 'sanction' AND void = 0 AND user > ? LIMIT 1 BY seq
		)
	)
	GROUP BY user HAVING muted > 0 OR banned > 0 ORDER BY user LIMIT %d`

// sanctions reads what stands of the sanctions in ClickHouse, of the first users that
// follow after.
func (s *store) sanctions(ctx context.Context, x *reading, after string, limit int) (all map[string]standing, err error) {
	all = map[string]standing{}
	if x.stored() == 0 {
		return all, nil
	}
	table := sql.Events(x.at.generation)
	query := fmt.Sprintf(`SELECT user, muted, m.2, m.3, m.4, m.5, banned, b.2, b.3, b.4, b.5 FROM (`+standingSanctions+`)`, s.db.Table(table), limit)
	err = s.query(ctx, table, func(ctx context.Context) error {
		clear(all)
		rows, err := s.db.Query(ctx, query, x.at.epoch, x.at.partition, x.q.Channel, x.stored(), after)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			m, b := rpc.Sanction{Action: rpc.SanctionMute}, rpc.Sanction{Action: rpc.SanctionBan}
			if err := rows.Scan(&m.User, &m.Seq, &m.Until, &m.Reason, &m.By.User, &m.By.Key, &b.Seq, &b.Until, &b.Reason, &b.By.User, &b.By.Key); err != nil {
				return err
			}
			b.User = m.User
			all[m.User] = standing{there(&m), there(&b)}
		}
		return rows.Err()
	})
	return all, err
}

// there is a sanction; nil where it has no seq.
func there(s *rpc.Sanction) *rpc.Sanction {
	if s.Seq == 0 {
		return nil
	}
	return s
}
