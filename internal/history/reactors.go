package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/sql"
)

// Reactors says of which reactions to a message the users are asked for.
type Reactors struct {
	Target int64
	Name   string           // "": any
	After  rpc.UserReaction // the one before the first; zero: from the first
}

// Reactors returns who reacts to a message as of q.End, up to q.Limit of them, sorted
// by the bytes of the names, then of the users. Of q it uses the channel, the epoch,
// and what spares reads of the log. Its errors are those of Read.
func (r *Reader) Reactors(ctx context.Context, q Query, of Reactors) (rpc.ReactionsResult, error) {
	ctx, span := r.tracer.History(ctx)
	found, err := r.reactors(ctx, q, &of)
	if clickhouse.IsMissing(err) { // its tables were dropped since the watermark was read
		found, err = r.reactors(ctx, q, &of)
	}
	span.Messages(0, err)
	return found, err
}

func (r *Reader) reactors(ctx context.Context, q Query, of *Reactors) (rpc.ReactionsResult, error) {
	x := reading{Reader: r, q: &q}
	var err error
	if q.Epoch != "" && q.Epoch != r.cfg.Epoch.Epoch {
		x.at, err = r.locateOld(ctx, &q)
		q.End = maxSeq
	} else if x.at, err = r.locate(ctx, &q); err == nil {
		err = x.readChanges(ctx)
	}
	if err != nil {
		return rpc.ReactionsResult{}, err
	}
	newer := x.reactions(of)
	found := []rpc.UserReaction{}
	if x.stored() > 0 {
		stored, err := x.store.reactors(ctx, of, q.Channel, x.at, x.stored(), q.Limit+1+len(newer))
		if err != nil {
			return rpc.ReactionsResult{}, err
		}
		found = append(found, stored...)
	}
	// Enough was read to be without all that newer changes decide.
	found = slices.DeleteFunc(found, func(u rpc.UserReaction) bool { _, decided := newer[u]; return decided })
	for u, there := range newer {
		if there {
			found = append(found, u)
		}
	}
	slices.SortFunc(found, compareReactors)
	return rpc.ReactionsResult{Users: found[:min(len(found), q.Limit)], More: len(found) > q.Limit}, nil
}

// reactions are those of the message that changes decide which are not in ClickHouse,
// among them those that were taken back.
func (x *reading) reactions(of *Reactors) map[rpc.UserReaction]bool {
	newer := map[rpc.UserReaction]bool{}
	for i := range x.changes {
		c := &x.changes[i]
		if c.React == nil || c.Target != of.Target || of.Name != "" && c.React.Name != of.Name {
			continue
		}
		if u := (rpc.UserReaction{Name: c.React.Name, User: c.User}); compareReactors(u, of.After) > 0 {
			newer[u] = !c.React.Remove // the last one decides
		}
	}
	return newer
}

func compareReactors(a, b rpc.UserReaction) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.User, b.User))
}

// reactors reads the first who react to a message, as of what is below end.
func (s *store) reactors(ctx context.Context, of *Reactors, channel string, at location, end int64, limit int) (found []rpc.UserReaction, err error) {
	table := sql.Changes(at.generation)
	args := []any{at.epoch, at.partition, channel, end, of.Target, of.After.Name, of.After.User}
	named := ""
	if of.Name != "" {
		named = ` AND name = ?`
		args = append(args, of.Name)
	}
	query := fmt.Sprintf(`SELECT toString(name) AS named, user FROM %s`+ofChannel+` AND target = ? AND action = 'react' AND (toString(name), user) > (?, ?)%s
		GROUP BY named, user HAVING argMax(removed, seq) = 0 ORDER BY named, user LIMIT %d`, s.db.Table(table), named, limit)
	err = s.query(ctx, table, func(ctx context.Context) error {
		found = nil
		rows, err := s.db.Query(ctx, query, args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var u rpc.UserReaction
			if err := rows.Scan(&u.Name, &u.User); err != nil {
				return err
			}
			found = append(found, u)
		}
		return rows.Err()
	})
	return found, err
}
