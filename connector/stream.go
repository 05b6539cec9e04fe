package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// errDown ends an incarnation that learns it was declared down.
var errDown = errors.New("this connector was declared down: it was silent for too long")

// stream applies the pushes of one incarnation, in order, to its channels.
// Owned by one goroutine.
type stream struct {
	inc     *incarnation
	seen    pushChain
	dirty   []*channel // with frames to flush at the end of the batch
	sentAt  []int64    // when the batch's messages were sent, Unix milliseconds
	fanOuts []fanOut   // of sampled traces, which end with the batch
	scratch []byte
}

// follow returns what reads the push partition until its context ends. Its
// error is why the incarnation cannot go on.
func (s *stream) follow(r *eventlog.Reader) func(context.Context) error {
	return func(ctx context.Context) error {
		for {
			batch, err := r.Next(ctx)
			if err != nil {
				return fmt.Errorf("read the pushes: %w", readError(err))
			}
			for i := range batch.Records {
				if err := s.record(&batch.Records[i]); err != nil {
					return err
				}
			}
			if n := len(batch.Records); n > 0 {
				s.inc.metrics.batch.Record(float64(n))
			}
			s.flush()
		}
	}
}

func (s *stream) record(r *eventlog.Record) error {
	if string(r.Key) != s.inc.id {
		return nil
	}
	p := new(schema.Push)
	if err := proto.Unmarshal(r.Value, p); err != nil {
		s.inc.metrics.corrupt.Add(1, schema.TopicPush)
		s.inc.logger.Error("skipped a corrupt push", "offset", r.Offset, "error", err)
		return nil
	}
	if p.Format > schema.NewestFormat {
		return &schema.NewerError{What: "format", Number: p.Format}
	}
	for _, u := range p.Updates {
		if u.GetEnded() != nil {
			return errDown
		}
	}
	fresh, err := s.seen.accept(p)
	if err != nil || !fresh {
		return err
	}
	process := s.begin(r, p)
	for _, u := range p.Updates {
		if err := s.update(p, u); err != nil {
			process.End(err)
			return err
		}
	}
	return nil
}

// update applies one update to its channel.
func (s *stream) update(p *schema.Push, u *schema.Update) error {
	ch := s.inc.channel(u.Channel)
	if ch == nil {
		if left := u.GetLeft(); left != nil {
			s.inc.passLeave(nil, u.Channel, left.Session)
			return nil
		}
		if ch = s.subscribe(u); ch == nil {
			return fmt.Errorf("a push about channel %q, which this connector does not follow", u.Channel)
		}
	}
	ch.mu.Lock()
	err := s.apply(ch, p, u)
	cut := ch.cut
	ch.cut = false
	ch.mu.Unlock()
	if cut {
		s.inc.flushers.Await(flushWait)
	}
	return err
}

// flushWait bounds how long the stream waits for the writers within a batch.
const flushWait = 100 * time.Millisecond

// apply applies one update to its channel, whose lock is held.
func (s *stream) apply(ch *channel, p *schema.Push, u *schema.Update) error {
	if !ch.dirty {
		ch.dirty = true
		s.dirty = append(s.dirty, ch)
	}
	switch k := u.Kind.(type) {
	case *schema.Update_Snapshot:
		ch.replica.snapshot(k.Snapshot)
		return nil
	case *schema.Update_Message:
		s.message(ch, p, k.Message)
	case *schema.Update_VoidChat:
		ch.replica.void(p.Offset)
	case *schema.Update_Joined:
		s.joined(ch, p, k.Joined)
	case *schema.Update_Left:
		s.left(ch, p, k.Left)
	case *schema.Update_Departed:
		s.departed(ch, p, k.Departed)
	default:
		return &schema.NewerError{What: "push kind"}
	}
	ch.reach(p.Offset)
	return nil
}

// subscribe makes the channel that a snapshot, or a join that needs none,
// begins; nil when u is neither.
func (s *stream) subscribe(u *schema.Update) *channel {
	if snapshot, joined := u.GetSnapshot(), u.GetJoined(); !snapshot.GetFirst() && !joined.GetSubscribed() {
		return nil
	}
	return s.inc.subscribe(u.Channel)
}

func (s *stream) message(ch *channel, p *schema.Push, m *schema.Message) {
	message := rpc.Message{Channel: ch.name, Seq: p.Offset, ID: m.Id, User: m.User, To: m.To, Body: m.Body, Time: p.Time, Trace: m.Trace}
	push, stored := chatPush(s.scratch[:0], &message, m.Prev)
	s.scratch = push
	ch.ring.add(entry{seq: p.Offset, time: p.Time, user: m.User, to: m.To, id: m.Id, json: stored})
	s.sentAt = append(s.sentAt, p.Time)
	if m.To != "" {
		ch.publishPrivate(push, m.User, m.To)
		return
	}
	ch.replica.last = p.Offset
	ch.publishMessage(push)
}

func (s *stream) joined(ch *channel, p *schema.Push, j *schema.Joined) {
	ch.replica.last = j.Last
	if j.First {
		ch.replica.add(j.User)
		s.notice(ch, rpc.PushJoined, rpc.JoinedPush{Channel: ch.name, Seq: p.Offset, User: j.User, Time: p.Time})
	}
	if j.Subscribed {
		ch.ring.floor = p.Offset
	}
	ch.replica.advance(p.Offset)
	s.inc.userIsBack(ch, j)
	if j.Connector == s.inc.id {
		s.inc.passJoin(ch, j.Session)
	}
}

func (s *stream) left(ch *channel, p *schema.Push, l *schema.Left) {
	s.inc.passLeave(ch, ch.name, l.Session)
	if l.Gone {
		ch.replica.remove(l.User)
		s.notice(ch, rpc.PushLeft, rpc.LeftPush{Channel: ch.name, Seq: p.Offset, User: l.User, Time: p.Time, Reason: reasonOf(l.Reason)})
	}
	if l.Unsubscribed {
		ch.abandon()
		s.inc.unsubscribe(ch)
	}
}

func (s *stream) departed(ch *channel, p *schema.Push, d *schema.Departed) {
	for _, user := range d.Users {
		ch.replica.remove(user)
		s.notice(ch, rpc.PushLeft, rpc.LeftPush{Channel: ch.name, Seq: p.Offset, User: user, Time: p.Time, Reason: reasonOf(d.Reason)})
	}
}

// notice publishes that somebody came or went; in a crowd only how many are there,
// at the next round of housekeeping.
func (s *stream) notice(ch *channel, method string, params any) {
	if len(ch.replica.users) > s.inc.limits.Presence {
		ch.crowded = true
		return
	}
	s.scratch = rpc.AppendPush(s.scratch[:0], method, params)
	ch.publish(s.scratch)
}

// flush sends what the batch brought.
func (s *stream) flush() {
	deliveries := 0
	for i, ch := range s.dirty {
		ch.mu.Lock()
		ch.flush()
		ch.dirty = false
		deliveries += ch.delivered
		ch.delivered = 0
		ch.mu.Unlock()
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
	s.inc.metrics.delivered(s.sentAt, deliveries)
	s.sentAt = s.sentAt[:0]
	s.endFanOuts()
}

func reasonOf(r schema.Reason) string {
	switch r {
	case schema.Reason_REASON_LEAVE:
		return rpc.LeftLeave
	case schema.Reason_REASON_TIMEOUT:
		return rpc.LeftTimeout
	default:
		return rpc.LeftDisconnect
	}
}
