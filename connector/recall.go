package connector

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const defaultHistoryTime = 5 * time.Second

// past is what a join's result says of the time before it.
type past struct {
	room.Page
	recovered *bool
	reason    string
	degraded  bool
}

func recovery(p room.Page, recovered bool, reason string) past {
	return past{Page: p, recovered: &recovered, reason: reason}
}

// since is what a user without history gets of it: everything that was missed
// where none of it is older than that time, else no message.
func (p past) since(oldest int64) past {
	missed := p.recovered != nil && *p.recovered
	if missed && p.allSince(oldest) {
		p.More = false
		return p
	}
	if missed || p.reason == rpc.ReasonTooMany {
		return recovery(room.Page{}, false, rpc.ReasonForbidden)
	}
	return past{recovered: p.recovered, reason: p.reason, degraded: p.reason == rpc.ReasonUnavailable}
}

// allSince reports whether all that was missed is newer than a time.
func (p *past) allSince(oldest int64) bool {
	return (len(p.Messages) == 0 || sentAt(p.Messages[0]) > oldest) && (len(p.Changes) == 0 || p.Changes[0].Time > oldest)
}

// sentAt is the time of an encoded message; 0, long ago, where it has none.
func sentAt(message []byte) int64 {
	var m struct {
		Time int64 `json:"time"`
	}
	_ = json.Unmarshal(message, &m)
	return m.Time
}

// past answers a join from the ring. It is false when the ring does not reach
// back far enough; what it holds is the answer all the same when nothing else
// can be read. The channel's lock is held.
func (ch *channel) past(j *joinCall, v room.View, l rpc.Limits, epoch string) (past, bool) {
	s := room.Span{User: j.user, End: v.Seq + 1, Bytes: messageBytes(l)}
	newest, enough := ch.Before(s, s.End, j.limit)
	switch {
	case j.since == nil:
		return past{Page: newest}, enough
	case j.epoch != epoch || *j.since > v.Seq:
		return recovery(newest, false, rpc.ReasonEpoch), enough
	}
	missed, ok := ch.Missed(s, *j.since, l.Recover)
	switch {
	case !ok:
		return recovery(newest, false, rpc.ReasonUnavailable), false
	case missed.More:
		return recovery(newest, false, rpc.ReasonTooMany), enough
	}
	older, known := ch.Before(s, *j.since+1, 0)
	missed.More = older.More || !known
	return recovery(missed, true, ""), true
}

// recallInTurn is recall once the connection has room for the result; sent is
// called when it is queued. A connection that has ended gets nothing.
func (x *reader) recallInTurn(ch *channel, j *joinCall, v room.View) (p past, sent func()) {
	front := j.session.front
	switch {
	case front.AwaitRoom(x.inc.ctx, x.inc.limits.Page):
		return x.recall(ch, j, v), func() { front.FreeRoom(x.inc.limits.Page) }
	case front.Closing():
		return past{}, func() {}
	default: // the incarnation ends
		return x.recall(ch, j, v), func() {}
	}
}

// recall answers a join from history: the ring filled up by one read that all
// joins of the channel share, else a read of its own, else what the ring has.
func (x *reader) recall(ch *channel, j *joinCall, v room.View) past {
	ch.Lock()
	fromRing, ok := ch.past(j, v, j.session.limits(), x.inc.log.Epoch)
	ch.Unlock()
	if ok { // it has waited for room alone
		x.inc.metrics.fromRing()
		return fromRing
	}
	ctx, cancel := context.WithTimeout(j.within(x.inc.ctx), x.inc.cfg.HistoryTime)
	defer cancel()
	done, err := x.shares.await(ctx, j.user)
	if err == nil {
		defer done()
		err = x.fill(ctx, ch, j.span)
	}
	ch.Lock()
	fromRing, ok = ch.past(j, v, j.session.limits(), x.inc.log.Epoch)
	x.lookUp(ch)
	ch.Unlock()
	if ok {
		return fromRing
	}
	if err == nil {
		var p past
		if p, err = x.readPast(ctx, ch, j, v, fromRing); err == nil {
			return p
		}
	}
	x.noOlder.warn(ctx, x.inc.logger, err)
	fromRing.More, fromRing.degraded = true, true
	return fromRing
}

// readPast reads what the ring could not answer.
func (x *reader) readPast(ctx context.Context, ch *channel, j *joinCall, v room.View, fromRing past) (past, error) {
	q := x.query(ch, j.user, v.Seq+1, messageBytes(j.session.limits()))
	if fromRing.reason == rpc.ReasonUnavailable {
		q.Mode, q.After, q.Limit, q.ReactedFrom = history.After, *j.since, x.inc.limits.Recover, room.ReactionsFrom(*j.since)
		missed, err := x.read(ctx, q)
		if err != nil {
			return past{}, err
		}
		if !missed.More {
			missed.More = *j.since > 0
			return recovery(missed, true, ""), nil
		}
		fromRing.reason = rpc.ReasonTooMany
	}
	q.ReactedFrom = 0
	q.Mode, q.Limit = history.Newest, max(j.limit, 1)
	newest, err := x.read(ctx, q)
	if j.limit == 0 {
		newest.More = newest.More || len(newest.Messages) > 0
		newest.Messages, newest.Mine = nil, nil
	}
	fromRing.Page = newest
	return fromRing, err
}

// query asks for a channel's messages below end, as user may see them, of so many
// bytes at most.
func (x *reader) query(ch *channel, user string, end int64, bytes int) history.Query {
	ch.Lock()
	defer ch.Unlock()
	voids, from := ch.Voids()
	known, knownFrom := ch.KnownBelow(end)
	return history.Query{
		Channel: ch.Name(), User: user, End: end, Bytes: bytes, Voids: voids, VoidsFrom: from,
		Known: known, KnownFrom: knownFrom,
	}
}

// read reads a page.
func (x *reader) read(ctx context.Context, q history.Query) (room.Page, error) {
	found, err := x.readTurn(ctx, q)
	if err != nil {
		return room.Page{}, err
	}
	return pageFrom(&q, &found, q.Bytes), nil
}

// readTurn reads when it is its turn: the reads under way are bounded.
func (x *reader) readTurn(ctx context.Context, q history.Query) (found history.Page, err error) {
	began := time.Now()
	defer func() { x.inc.metrics.read(sourceClickHouse, time.Since(began), err) }()
	select {
	case x.turns <- struct{}{}:
		defer func() { <-x.turns }()
		found, err := x.archive.Read(ctx, q)
		var newer *schema.NewerError
		if errors.As(err, &newer) {
			x.inc.fail(err)
		}
		return found, err
	case <-ctx.Done():
		return history.Page{}, ctx.Err()
	}
}

// load is one read that fills a channel's ring, shared by all who wait for it.
type load struct {
	done chan struct{}
	by   tracing.Span // the request that began it, in whose trace it is
	err  error
}

// fill makes the ring reach further back, if it can. Its error says that the
// store could not be read; the ring may have got what the log has.
func (x *reader) fill(ctx context.Context, ch *channel, within tracing.Span) error {
	ch.Lock()
	if ch.Full() {
		ch.Unlock()
		return nil
	}
	l := ch.loading
	if l == nil {
		l = &load{done: make(chan struct{}), by: within}
		ch.loading = l
		x.inc.spawn(func() { x.fillNow(ch, l) })
	}
	ch.Unlock()
	within.Link(l.by.Context())
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (x *reader) fillNow(ch *channel, l *load) {
	ctx, cancel := context.WithTimeout(l.by.In(x.inc.ctx), x.inc.cfg.HistoryTime)
	defer cancel()
	ch.Lock()
	floor, end, silent := ch.Floor(), ch.Position()+1, ch.Silent()
	ch.Unlock()
	q := x.query(ch, "", end, room.RingBytes)
	q.Silent = silent
	q.Everyone, q.Mode, q.Before, q.Limit = true, history.Before, floor, x.inc.limits.Recover+1
	q.States, q.Records = true, true
	found, err := x.readTurn(ctx, q)
	below := int64(0)
	if err != nil {
		l.err = err
		below = max(1, floor-x.inc.log.Window)
		began := time.Now()
		if found, err = x.archive.ReadLog(ctx, q, below); err != nil {
			below = floor
		}
		x.inc.metrics.read(sourceLog, time.Since(began), err)
	}
	older := room.NewOlder(found.Messages, found.States, found.Asof, found.More, below, found.Older, room.Records{All: found.Records, From: found.RecordsFrom})
	ch.Lock()
	defer ch.Unlock()
	ch.Extend(floor, older)
	ch.loading = nil
	close(l.done)
}
