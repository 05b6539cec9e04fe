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
	s.inc.formats.note(p)
	process := s.begin(r, p)
	for rest := p.Updates; len(rest) > 0; {
		n, err := s.update(p, rest)
		if err != nil {
			process.End(err)
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// update applies the first update to its channel, and those after it that are about the
// same one, and returns how many. Whoever takes the channel's lock sees all that the
// event brought there, or nothing: its position says that it has passed.
func (s *stream) update(p *schema.Push, updates []*schema.Update) (n int, err error) {
	ch, err := s.channelOf(updates[0])
	if ch == nil {
		return 1, err
	}
	ch.Lock()
	for ; n < len(updates) && updates[n].Channel == ch.Name() && err == nil; n++ {
		err = s.apply(ch, p, updates[n])
	}
	cut := ch.Cut()
	ch.Unlock()
	if cut {
		s.inc.shared.Flushers.Await(flushWait)
	}
	return n, err
}

// channelOf is the channel that an update is to be applied to; nil: to none.
func (s *stream) channelOf(u *schema.Update) (*channel, error) {
	if ch := s.inc.channels.get(u.Channel); ch != nil {
		return ch, nil
	}
	if left := u.GetLeft(); left != nil {
		s.passLeave(nil, u.Channel, left.Session)
		return nil, nil
	}
	if u.GetUnwatched() != nil { // of a watch that was not in the log, or repeated
		return nil, nil
	}
	if ch := s.subscribe(u); ch != nil {
		return ch, nil
	}
	return nil, fmt.Errorf("a push about channel %q, which this connector does not follow", u.Channel)
}

// flushWait bounds how long the stream waits for the writers within a batch.
const flushWait = 100 * time.Millisecond

// apply applies one update to its channel, whose lock is held.
func (s *stream) apply(ch *channel, p *schema.Push, u *schema.Update) error {
	if !ch.dirty {
		ch.dirty = true
		s.dirty = append(s.dirty, ch)
	}
	left := u.GetLeft()
	if left != nil { // before others hear of it
		s.passLeave(ch, u.Channel, left.Session)
	}
	if err := ch.Apply(p, u); err != nil {
		return err
	}
	if joined := u.GetJoined(); joined != nil {
		ch.userIsBack(joined)
		if joined.Connector == s.inc.id {
			s.passJoin(ch, joined)
		}
	}
	s.remove(ch, p, u.GetRemoved())
	if u.GetWatched() != nil {
		s.inc.watches.passed(ch, p.Offset)
	}
	s.inc.channels.react(ch)
	s.inc.past.lookUp(ch)
	if left.GetUnsubscribed() || u.GetRemoved().GetUnsubscribed() || u.GetUnwatched().GetUnsubscribed() {
		s.inc.channels.unsubscribe(ch)
	}
	if m := u.GetMessage(); m != nil {
		ch.spoke(m.User, p.Offset, p.Time, s.inc.now())
		s.sentAt = append(s.sentAt, p.Time)
	}
	return nil
}

// passJoin has a session of ours note that its join has passed. One that is
// gone has its leave in the log already.
func (s *stream) passJoin(ch *channel, joined *schema.Joined) {
	if session := s.inc.sessions.get(joined.Session); session != nil {
		session.passJoin(ch, joined)
	}
}

// remove ends the places of those sessions of ours that a kick or a ban has put out.
func (s *stream) remove(ch *channel, p *schema.Push, r *schema.Removed) {
	push := rpc.RemovedPush{Channel: ch.Name(), Seq: p.Offset, Reason: r.GetReason().Name(), Until: r.GetUntil()}
	for _, id := range r.GetSessions() {
		if session := s.inc.sessions.get(id); session != nil {
			session.passRemoval(ch, push)
		}
	}
}

// passLeave has a session note that its leave has passed, if it is ours.
func (s *stream) passLeave(ch *channel, name, id string) {
	if session := s.inc.sessions.get(id); session != nil {
		session.passLeave(ch, name)
	}
}

// subscribe makes the channel that a snapshot, or a join that needs none,
// begins; nil when u is neither.
func (s *stream) subscribe(u *schema.Update) *channel {
	snapshot, joined, watched := u.GetSnapshot(), u.GetJoined(), u.GetWatched()
	if !snapshot.GetFirst() && !joined.GetSubscribed() && !watched.GetSubscribed() {
		return nil
	}
	return s.inc.channels.subscribe(u.Channel)
}

// flush sends what the batch brought.
func (s *stream) flush() {
	deliveries := 0
	for i, ch := range s.dirty {
		ch.Lock()
		deliveries += ch.Flush()
		ch.dirty = false
		ch.Unlock()
		s.dirty[i] = nil
	}
	s.dirty = s.dirty[:0]
	s.inc.metrics.delivered(s.sentAt, deliveries)
	s.sentAt = s.sentAt[:0]
	s.endFanOuts()
}
