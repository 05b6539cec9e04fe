package connector

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// rulebook is what a connector knows of parley.rules, whatever its incarnation.
// Sessions are judged by it after they have entered, and again with the first
// round of housekeeping after a change. Safe for concurrent use.
type rulebook struct {
	table    *rules.Table
	follower atomic.Pointer[rules.Follower] // nil: nothing is followed
	version  atomic.Uint64                  // grows after each change

	mu     sync.RWMutex
	orders map[string][]heldOrder // by user
	tidied time.Time              // when orders that are over were dropped
}

type heldOrder struct {
	*schema.Order
	before int64 // sessions whose hello came before this have to end
	until  time.Time
}

func newRulebook() *rulebook {
	return &rulebook{table: rules.NewTable(), orders: map[string][]heldOrder{}}
}

// changed notes a change, which the table has.
func (b *rulebook) changed(c rules.Change) {
	if c.Kind == rules.Ordered && c.Order != nil {
		b.order(c.Name, c.Order, time.Now())
	}
	b.version.Add(1)
}

// order takes note of an order. Sessions that say hello from now on are none of
// those it is about, also where the clock of whoever wrote it is ahead: they would
// be ended, come back, and be ended again.
func (b *rulebook) order(user string, o *schema.Order, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now.Sub(b.tidied) >= time.Second {
		b.tidy(now)
	}
	b.orders[user] = append(b.orders[user], heldOrder{o, min(o.Time, now.UnixMilli()), now.Add(rules.OrderLife)})
}

// tidy drops the orders that are over. The lock is held.
func (b *rulebook) tidy(now time.Time) {
	b.tidied = now
	for user, held := range b.orders {
		held = slices.DeleteFunc(held, func(o heldOrder) bool { return now.After(o.until) })
		if b.orders[user] = held; len(held) == 0 {
			delete(b.orders, user)
		}
	}
}

// ordered is an order that ends a session of a user; nil: there is none.
func (b *rulebook) ordered(user, session string, greeted, now time.Time) *schema.Order {
	b.mu.RLock()
	defer b.mu.RUnlock()
	for _, o := range b.orders[user] {
		if (o.Session == "" || o.Session == session) && greeted.UnixMilli() < o.before && now.Before(o.until) {
			return o.Order
		}
	}
	return nil
}

// granted is what the rules grant to a user, without the grants that cannot be
// used; the error says why one of them cannot.
func (b *rulebook) granted(user string) (list grants.List, unusable error) {
	var made []grants.Grant
	for _, g := range b.table.Granted(user) {
		grant, err := grants.New(g.Channels, g.Allow)
		if err != nil {
			unusable = err
			continue
		}
		made = append(made, grant)
	}
	list, err := grants.NewList(made...)
	return list, cmp.Or(unusable, err)
}

// revoked reports whether a token of a user is revoked. Without authentication
// there are none.
func (b *rulebook) revoked(user string, t identity.Stamp) bool {
	_, revoked := b.table.Revoked(user, t.ID, t.Issued)
	return revoked
}

// followRules follows parley.rules until stop is called.
func (c *Connector) followRules(ctx context.Context) (stop func(), err error) {
	kafka, err := eventlog.New(c.cfg.Kafka)
	if err != nil {
		return nil, err
	}
	follower := rules.NewFollower(rules.FollowConfig{
		Kafka: kafka, Table: c.rules.table, Changed: c.ruleChanged, Logger: c.cfg.Logger,
		Skipped: func(offset int64, err error) {
			c.metrics.corrupt.Add(1, schema.TopicRules)
			c.cfg.Logger.Error("skipped a corrupt rule", "offset", offset, "error", err)
		},
	})
	c.rules.follower.Store(follower) // health may be asked for already
	end := outlive(ctx, follower.Run)
	return func() {
		end()
		kafka.Close()
	}, nil
}

// ruleChanged takes a change into the rulebook.
func (c *Connector) ruleChanged(change rules.Change) {
	c.rules.changed(change)
	if change.Kind != rules.Granted {
		return
	}
	if _, unusable := c.rules.granted(change.Name); unusable != nil {
		c.cfg.Logger.Warn("a grant in "+schema.TopicRules+" cannot be used and is left out: give it again with `parley grant`", "user", change.Name, "error", unusable)
	}
}

// caughtUp waits until the rules of before are known, or ctx ends.
func (b *rulebook) caughtUp(ctx context.Context) {
	follower := b.follower.Load()
	if follower == nil {
		return
	}
	select {
	case <-follower.CaughtUp():
	case <-ctx.Done():
	}
}

// trouble is why the rules may be out of date, in a sentence; "" when they are
// not. missing is whether none were ever read.
func (b *rulebook) trouble() (text string, missing bool) {
	follower := b.follower.Load()
	if follower == nil {
		return "", false
	}
	select {
	case <-follower.CaughtUp():
		return follower.Trouble(), false
	default:
		return fmt.Sprintf("%s was not read to its end yet, which says who is revoked or barred", schema.TopicRules), true
	}
}

// verdict is why a session has to end.
type verdict struct {
	code   int
	reason string
	answer *rpc.Error // to a hello; nil for none
}

// judge says why a session must not go on by the rules; nil: it may.
func (s *session) judge(now time.Time) *verdict {
	s.mu.Lock()
	user, token, greeted := s.user, s.token, s.greeted
	s.mu.Unlock()
	b := s.inc.rules
	if bar, barred := b.table.Barred(user, now); barred {
		s.mu.Lock()
		s.barred = true
		s.mu.Unlock()
		return &verdict{rpc.CloseAdmin, "barred by an administrator", rpc.Barred(bar.Until, bar.Reason)}
	}
	if s.inc.cfg.Auth != nil && b.revoked(user, token) {
		return &verdict{rpc.CloseBadToken, "the token is revoked", rpc.Unauthenticated("the token is revoked")}
	}
	switch o := b.ordered(user, s.id, greeted, now); {
	case o == nil:
		return nil
	case o.Reconnect:
		return &verdict{code: rpc.CloseTryLater, reason: "an administrator asks to reconnect"}
	default:
		return &verdict{code: rpc.CloseAdmin, reason: "disconnected by an administrator"}
	}
}
