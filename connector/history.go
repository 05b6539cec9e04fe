package connector

import (
	"context"
	"errors"
	"strconv"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/rpc"
)

// historyCall is a history request that waits for its page.
type historyCall struct {
	*call
	acked int64 // what the session knew of when it asked
	user  string
	epoch string // "": the current one
	mode  history.Mode
	seq   int64
	limit int
}

var errBehind = errors.New("the stream has not yet passed what was acknowledged")

func (h *historyCall) passed(*channel) {}

// answer answers with a page: at once when the ring has it, else once what was
// acknowledged to the session has passed in the stream and history is read.
func (h *historyCall) answer(ch *channel) {
	if ch == nil {
		h.fail(rpc.NotJoined())
		return
	}
	inc := h.session.inc
	ch.mu.Lock()
	if ch.replica.position >= h.acked && h.epoch == "" {
		if found, ok := ch.page(h, ch.replica.position+1); ok && h.session.conn.RoomNow() {
			ch.mu.Unlock()
			inc.metrics.fromRing()
			inc.replyHistory(h, found)
			return
		}
	}
	reached := ch.reached(h.acked)
	ch.mu.Unlock()
	if !h.reserve(waitBytes) {
		h.fail(rpc.HistoryUnavailable(retryAfter))
		return
	}
	inc.spawn(func() {
		conn := h.session.conn
		if !conn.AwaitRoom(inc.ctx, inc.limits.Page) {
			h.fail(rpc.HistoryUnavailable(retryAfter)) // nobody hears it
			return
		}
		defer conn.FreeRoom(inc.limits.Page)
		ctx := h.within(inc.ctx)
		found, err := inc.readHistory(ctx, ch, h, reached)
		if errors.Is(err, history.ErrEpoch) {
			h.fail(rpc.InvalidParams("epoch", "is not known here"))
			return
		}
		if err != nil {
			inc.noHistory.warn(ctx, inc.logger, err)
			h.fail(rpc.HistoryUnavailable(retryAfter))
			return
		}
		inc.replyHistory(h, found)
	})
}

func (inc *incarnation) readHistory(ctx context.Context, ch *channel, h *historyCall, reached <-chan struct{}) (page, error) {
	ctx, cancel := context.WithTimeout(ctx, inc.cfg.HistoryTime)
	defer cancel()
	select {
	case <-reached:
	case <-ctx.Done():
		return page{}, errBehind
	}
	ch.mu.Lock()
	end := ch.replica.position + 1
	found, ok := page{}, false
	if h.epoch == "" {
		found, ok = ch.page(h, end)
	}
	ch.mu.Unlock()
	if ok {
		inc.metrics.fromRing()
		return found, nil
	}
	done, err := inc.shares.await(ctx, h.user)
	if err != nil {
		return page{}, err
	}
	defer done()
	q := inc.query(ch, h.user, end)
	q.Epoch, q.Mode, q.Limit = h.epoch, h.mode, h.limit
	q.Before, q.After, q.Around = h.seq, h.seq, h.seq
	return inc.read(ctx, q)
}

// page answers a history request from the ring. The lock is held.
func (ch *channel) page(h *historyCall, end int64) (page, bool) {
	s := span{h.user, end, messageBytes(h.session.inc.limits)}
	switch h.mode {
	case history.Before:
		return ch.ring.before(s, h.seq, h.limit)
	case history.After:
		return ch.ring.after(s, h.seq, h.limit)
	case history.Around:
		return ch.ring.around(s, h.seq, h.limit)
	default:
		return ch.ring.before(s, end, h.limit)
	}
}

// replyHistory answers as encoding/json would write rpc.HistoryResult.
func (inc *incarnation) replyHistory(h *historyCall, p page) {
	epoch := h.epoch
	if epoch == "" {
		epoch = inc.log.Epoch
	}
	h.reply(func(b []byte) []byte {
		b = append(append(append(b, `{"jsonrpc":"2.0","id":`...), h.id...), `,"result":{"epoch":`...)
		b = appendString(b, epoch)
		b = appendList(append(b, `,"messages":`...), p.messages)
		b = strconv.AppendBool(append(b, `,"more":`...), p.more)
		if p.newer {
			b = append(b, `,"newer":true`...)
		}
		if p.older != "" {
			b = appendString(append(b, `,"older":`...), p.older)
		}
		return append(b, `}}`...)
	})
}

// membersCall is a request for members that waits for its turn. Its answer
// is the replica's as of then.
type membersCall struct {
	*call
	after string
	limit int
	users []string
	count int
	crowd bool // there is no room to wait
}

func (m *membersCall) passed(ch *channel) {
	users, size := ch.replica.page(m.after, m.limit), 0
	for _, u := range users {
		size += 16 + len(u)
	}
	if m.crowd = !m.reserve(size); !m.crowd {
		m.users, m.count = users, len(ch.replica.users)
	}
}

func (m *membersCall) answer(ch *channel) {
	if ch == nil {
		m.fail(rpc.NotJoined())
		return
	}
	conn := m.session.conn
	if !m.crowd && conn.RoomNow() {
		m.list()
		return
	}
	if m.crowd || !m.reserve(waitBytes) {
		m.fail(rpc.Unavailable(retryAfter))
		return
	}
	inc := m.session.inc
	inc.spawn(func() {
		if conn.AwaitRoom(inc.ctx, inc.limits.Page) {
			defer conn.FreeRoom(inc.limits.Page)
		}
		m.list()
	})
}

// list answers as encoding/json would write rpc.MembersResult.
func (m *membersCall) list() {
	m.reply(func(b []byte) []byte {
		b = append(append(append(b, `{"jsonrpc":"2.0","id":`...), m.id...), `,"result":{"members":`...)
		b = appendMembers(b, m.users)
		return append(strconv.AppendInt(append(b, `,"count":`...), int64(m.count), 10), `}}`...)
	})
}
