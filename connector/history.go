package connector

import (
	"cmp"
	"context"
	"errors"

	"github.com/parley-chat/parley/connector/room"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/schema/rpc"
)

// historyCall is a history request that waits for its page.
type historyCall struct {
	readCall
	user  string
	epoch string // "": the current one
	mode  history.Mode
	seq   int64
	limit int
	// answers and author ask for some of them alone: answers to a message, and what one
	// user said. 0 and "": for any.
	answers int64
	author  string
}

// any reports whether the page is of this epoch, and of all messages that a user may
// see.
func (h *historyCall) any() bool {
	return h.epoch == "" && h.answers == 0 && h.author == "" && !h.session.audits()
}

var errBehind = errors.New("the stream has not yet passed what was acknowledged")

// answer answers with a page: at once when the ring has it, else once what was
// acknowledged to the session has passed in the stream and history is read.
func (h *historyCall) answer(ch *channel) {
	inc := h.session.inc
	ch.Lock()
	if ch.Position() >= h.acked && h.any() {
		if found, ok := ch.page(h, ch.Position()+1); ok && h.session.front.RoomNow() {
			ch.Unlock()
			inc.metrics.fromRing()
			h.settle(func() { h.send(found) })
			return
		}
	}
	reached := ch.Reached(h.acked)
	ch.Unlock()
	h.look(func(ctx context.Context) (func(), error) {
		found, err := inc.past.page(ctx, ch, h, reached)
		return func() { h.send(found) }, err
	})
}

// page answers a history request once the channel has reached what was
// acknowledged to its session.
func (x *reader) page(ctx context.Context, ch *channel, h *historyCall, reached <-chan struct{}) (room.Page, error) {
	ctx, cancel := context.WithTimeout(ctx, x.inc.cfg.HistoryTime)
	defer cancel()
	select {
	case <-reached:
	case <-ctx.Done():
		return room.Page{}, errBehind
	}
	ch.Lock()
	end := ch.Position() + 1
	found, ok := room.Page{}, false
	if h.any() {
		found, ok = ch.page(h, end)
	}
	ch.Unlock()
	if end <= h.acked { // the last session was put out of the channel meanwhile
		return room.Page{}, errBehind
	}
	if ok {
		x.inc.metrics.fromRing()
		return found, nil
	}
	done, err := x.shares.await(ctx, h.session.reads())
	if err != nil {
		return room.Page{}, err
	}
	defer done()
	q := x.query(ch, h.user, end, messageBytes(h.session.limits()))
	q.Epoch, q.Mode, q.Limit, q.Everyone = h.epoch, h.mode, h.limit, h.session.audits()
	q.Before, q.After, q.Around = h.seq, h.seq, h.seq
	q.Reply, q.Author = h.answers, h.author
	return x.read(ctx, q)
}

// page answers a history request from the ring. The lock is held.
func (ch *channel) page(h *historyCall, end int64) (room.Page, bool) {
	s := room.Span{User: h.user, End: end, Bytes: messageBytes(h.session.limits())}
	switch h.mode {
	case history.Before:
		return ch.Before(s, h.seq, h.limit)
	case history.After:
		return ch.After(s, h.seq, h.limit)
	case history.Around:
		return ch.Around(s, h.seq, h.limit)
	default:
		return ch.Before(s, end, h.limit)
	}
}

func (h *historyCall) send(p room.Page) {
	inc := h.session.inc
	r := rpc.HistoryResult{
		Epoch: cmp.Or(h.epoch, inc.log.Epoch), Asof: p.Asof, Seq: p.Seq, Changes: p.Changes, Reacted: p.Reacted, Mine: p.Mine,
		Next: p.Next, More: p.More, Newer: p.Newer, Older: p.Older,
	}
	h.reply(func(b []byte) []byte { return rpc.AppendHistoryResult(b, &r, p.Messages) })
}

// membersCall is a request for members that waits for its turn. Its answer
// is the replica's as of then.
type membersCall struct {
	*call
	after  string
	limit  int
	listed rpc.MembersResult
	crowd  bool // there is no room to wait
}

func (m *membersCall) refused(*rpc.Error) { m.fail(rpc.NotJoined()) }

func (m *membersCall) passed(ch *channel) bool {
	v, size := ch.View(m.after, m.limit), 0
	v.Members = shown(v.Members, m.session.front.Manner(), 1)
	for i := range v.Members {
		size += 16 + len(v.Members[i].User)
	}
	if m.crowd = !m.reserve(size); !m.crowd {
		m.listed = rpc.MembersResult{Members: v.Members, Count: v.Count}
	}
	return false
}

func (m *membersCall) answer(*channel) {
	front := m.session.front
	if !m.crowd && front.RoomNow() {
		m.send()
		return
	}
	if m.crowd || !m.reserve(waitBytes) {
		m.fail(rpc.Unavailable(retryAfter))
		return
	}
	inc := m.session.inc
	inc.spawn(func() {
		if front.AwaitRoom(inc.ctx, inc.limits.Page) {
			defer front.FreeRoom(inc.limits.Page)
		}
		m.send()
	})
}

func (m *membersCall) send() {
	m.reply(func(b []byte) []byte { return rpc.AppendMembersResult(b, &m.listed) })
}
