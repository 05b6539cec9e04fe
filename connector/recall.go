package connector

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

const defaultHistoryTime = 5 * time.Second

// past is what a join's result says of the time before it.
type past struct {
	page
	recovered *bool
	reason    string
	degraded  bool
}

func recovery(p page, recovered bool, reason string) past {
	return past{page: p, recovered: &recovered, reason: reason}
}

// past answers a join from the ring. It is false when the ring does not reach
// back far enough; what it holds is the answer all the same when nothing else
// can be read. The channel's lock is held.
func (ch *channel) past(j *joinCall, v view, l rpc.Limits, epoch string) (past, bool) {
	s := span{j.user, v.seq + 1, messageBytes(l)}
	newest, enough := ch.ring.before(s, s.end, j.limit)
	switch {
	case j.since < 0:
		return past{page: newest}, enough
	case j.epoch != epoch || j.since > v.seq:
		return recovery(newest, false, rpc.ReasonEpoch), enough
	}
	missed, ok := ch.ring.after(s, j.since, l.Recover)
	switch {
	case !ok:
		return recovery(newest, false, rpc.ReasonUnavailable), false
	case missed.more:
		return recovery(newest, false, rpc.ReasonTooMany), enough
	}
	older, known := ch.ring.before(s, j.since+1, 0)
	missed.more = older.more || !known
	return recovery(missed, true, ""), true
}

// recallInTurn is recall once the connection has room for the result; sent is
// called when it is queued. A connection that has ended gets nothing.
func (inc *incarnation) recallInTurn(ch *channel, j *joinCall, v view) (p past, sent func()) {
	conn := j.session.conn
	switch {
	case conn.AwaitRoom(inc.ctx, inc.limits.Page):
		return inc.recall(ch, j, v), func() { conn.FreeRoom(inc.limits.Page) }
	case conn.Closing():
		return past{}, func() {}
	default: // the incarnation ends
		return inc.recall(ch, j, v), func() {}
	}
}

// recall answers a join from history: the ring filled up by one read that all
// joins of the channel share, else a read of its own, else what the ring has.
func (inc *incarnation) recall(ch *channel, j *joinCall, v view) past {
	ch.mu.Lock()
	fromRing, ok := ch.past(j, v, inc.limits, inc.log.Epoch)
	ch.mu.Unlock()
	if ok { // it has waited for room alone
		inc.metrics.fromRing()
		return fromRing
	}
	ctx, cancel := context.WithTimeout(j.within(inc.ctx), inc.cfg.HistoryTime)
	defer cancel()
	done, err := inc.shares.await(ctx, j.user)
	if err == nil {
		defer done()
		err = inc.fill(ctx, ch, j.span)
	}
	ch.mu.Lock()
	fromRing, ok = ch.past(j, v, inc.limits, inc.log.Epoch)
	ch.mu.Unlock()
	if ok {
		return fromRing
	}
	if err == nil {
		var p past
		if p, err = inc.readPast(ctx, ch, j, v, fromRing); err == nil {
			return p
		}
	}
	inc.noOlder.warn(ctx, inc.logger, err)
	fromRing.more, fromRing.degraded = true, true
	return fromRing
}

// readPast reads what the ring could not answer.
func (inc *incarnation) readPast(ctx context.Context, ch *channel, j *joinCall, v view, fromRing past) (past, error) {
	q := inc.query(ch, j.user, v.seq+1)
	if fromRing.reason == rpc.ReasonUnavailable {
		q.Mode, q.After, q.Limit = history.After, j.since, inc.limits.Recover
		missed, err := inc.read(ctx, q)
		if err != nil {
			return past{}, err
		}
		if !missed.more {
			missed.more = j.since > 0
			return recovery(missed, true, ""), nil
		}
		fromRing.reason = rpc.ReasonTooMany
	}
	q.Mode, q.Limit = history.Newest, max(j.limit, 1)
	newest, err := inc.read(ctx, q)
	if j.limit == 0 {
		newest.more = newest.more || len(newest.messages) > 0
		newest.messages = nil
	}
	fromRing.page = newest
	return fromRing, err
}

// query asks for a channel's messages below end, as user may see them.
func (inc *incarnation) query(ch *channel, user string, end int64) history.Query {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return history.Query{
		Channel: ch.name, User: user, End: end, Bytes: messageBytes(inc.limits),
		Voids: append([]int64(nil), ch.replica.voids...), VoidsFrom: max(0, ch.replica.position-ch.replica.window),
	}
}

// read reads a page.
func (inc *incarnation) read(ctx context.Context, q history.Query) (page, error) {
	found, err := inc.readTurn(ctx, q)
	if err != nil {
		return page{}, err
	}
	return pageFrom(&q, &found, messageBytes(inc.limits)), nil
}

// pageFrom encodes what was found, as much of it as fits into bytes, from the
// end that q asks for.
func pageFrom(q *history.Query, found *history.Page, bytes int) page {
	p := page{more: found.More, newer: found.Newer, older: found.Older}
	all := found.Messages
	at := int64(math.MaxInt64) // the newest are nearest
	switch q.Mode {
	case history.After:
		at = 0
	case history.Around:
		at = q.Around
	}
	split, _ := slices.BinarySearchFunc(all, at, func(m rpc.Message, seq int64) int { return cmp.Compare(m.Seq, seq) })
	encoded := make([][]byte, len(all))
	encode := func(i int) []byte {
		if encoded[i] == nil {
			encoded[i] = appendMessage(nil, &all[i])
		}
		return encoded[i]
	}
	index := make([]int, len(all))
	for i := range index {
		index[i] = i
	}
	n, m := nearest(index[:split], index[split:], at, func(i int) int64 { return all[i].Seq }, encode, bytes)
	from, to := split-n, split+m
	if from > 0 {
		p.more, p.older = true, ""
	}
	if to < len(all) && q.Mode == history.After {
		p.more = true
	} else if to < len(all) {
		p.newer = true
	}
	p.messages = encoded[from:to]
	return p
}

// readTurn reads when it is its turn: the reads under way are bounded.
func (inc *incarnation) readTurn(ctx context.Context, q history.Query) (found history.Page, err error) {
	began := time.Now()
	defer func() { inc.metrics.read(sourceClickHouse, time.Since(began), err) }()
	select {
	case inc.reads <- struct{}{}:
		defer func() { <-inc.reads }()
		found, err := inc.history.Read(ctx, q)
		var newer *schema.NewerError
		if errors.As(err, &newer) {
			inc.fail(err)
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
func (inc *incarnation) fill(ctx context.Context, ch *channel, within tracing.Span) error {
	ch.mu.Lock()
	if ch.ring.full() {
		ch.mu.Unlock()
		return nil
	}
	l := ch.loading
	if l == nil {
		l = &load{done: make(chan struct{}), by: within}
		ch.loading = l
		inc.spawn(func() { inc.fillNow(ch, l) })
	}
	ch.mu.Unlock()
	within.Link(l.by.Context())
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (inc *incarnation) fillNow(ch *channel, l *load) {
	ctx, cancel := context.WithTimeout(l.by.In(inc.ctx), inc.cfg.HistoryTime)
	defer cancel()
	ch.mu.Lock()
	floor := ch.ring.floor
	ch.mu.Unlock()
	q := inc.query(ch, "", floor)
	q.Everyone, q.Mode, q.Limit, q.Bytes = true, history.Newest, inc.limits.Recover+1, ringBytes
	found, err := inc.readTurn(ctx, q)
	below := int64(0)
	if err != nil {
		l.err = err
		below = max(1, floor-inc.log.Window)
		began := time.Now()
		if found, err = inc.history.ReadLog(ctx, q, below); err != nil {
			below = floor
		}
		inc.metrics.read(sourceLog, time.Since(began), err)
	}
	entries := entriesOf(found.Messages)
	if left := len(found.Messages) - len(entries); left > 0 {
		found.More, found.Older = true, ""
	}
	if found.More && len(entries) > 0 {
		below = entries[0].seq
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.ring.floor == floor {
		ch.ring.prepend(entries, below, found.Older)
	}
	ch.loading = nil
	close(l.done)
}

// entriesOf makes entries of the newest messages, as many as a ring holds.
func entriesOf(messages []rpc.Message) []entry {
	entries := make([]entry, 0, len(messages))
	size := fitted{bytes: ringBytes}
	for i := len(messages) - 1; i >= 0; i-- {
		m := &messages[i]
		e := entry{seq: m.Seq, time: m.Time, user: m.User, to: m.To, id: m.ID, json: appendMessage(nil, m)}
		if !size.fits(e.json) {
			break
		}
		entries = append(entries, e)
	}
	slices.Reverse(entries)
	return entries
}

// appendJoinResult appends the response to a join, as encoding/json would
// write rpc.JoinResult.
func (inc *incarnation) appendJoinResult(b []byte, j *joinCall, ch *channel, v view, p past) []byte {
	b = append(append(append(b, `{"jsonrpc":"2.0","id":`...), j.id...), `,"result":{"channel":`...)
	b = appendString(b, ch.name)
	b = appendString(append(b, `,"epoch":`...), inc.log.Epoch)
	b = strconv.AppendInt(append(b, `,"seq":`...), v.seq, 10)
	b = strconv.AppendInt(append(b, `,"last":`...), v.last, 10)
	b = appendMembers(append(b, `,"members":`...), v.users)
	b = strconv.AppendInt(append(b, `,"count":`...), int64(v.count), 10)
	b = appendList(append(b, `,"messages":`...), p.messages)
	b = strconv.AppendBool(append(b, `,"more":`...), p.more)
	b = strconv.AppendInt(append(b, `,"partition":`...), int64(ch.partition), 10)
	if p.recovered != nil {
		b = strconv.AppendBool(append(b, `,"recovered":`...), *p.recovered)
	}
	if p.reason != "" {
		b = appendString(append(b, `,"reason":`...), p.reason)
	}
	if p.degraded {
		b = append(b, `,"degraded":true`...)
	}
	return append(b, `}}`...)
}
