package eventlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	requireAll  = -1 // asks for the acknowledgement of all in-sync replicas
	requireLead = 1  // asks for the leader's alone
	// produceVersion is one that every broker knows that is new enough to be read from.
	produceVersion = 9
)

// sender sends what the partitions of one leader have to send, one request at
// a time. Everything but wake is its own.
type sender struct {
	p       *Producer
	leader  int32
	addr    string        // the leader's; "": not known
	own     *link         // to the leader
	wake    chan struct{} // holds at most one wake-up
	turn    int           // where the next collection begins, so that none starves
	flights []flight      // what the current request carries
	layout  uint64        // the cluster layout that addr and the current request go by
}

// flight is one partition's first batch on its way, and its outcome.
type flight struct {
	part *partition
	b    *batch

	outcome outcome
	err     error
	base    int64 // the offset of the first record, when acknowledged
}

type outcome int

const (
	again    outcome = iota // send the same bytes again
	renumber                // send it under a new identity
	acked                   // it is in the log
	refused                 // it is not sent again; an earlier attempt may be in the log
)

// run sends until the producer ends.
func (s *sender) run() {
	defer s.own.close()
	for s.p.ctx.Err() == nil {
		if wait := s.collect(time.Now()); len(s.flights) == 0 {
			s.rest(wait)
			continue
		}
		s.send()
		if s.p.cfg.Pace > 0 {
			_ = sleep(s.p.ctx, s.p.cfg.Pace)
		}
	}
}

// rest waits for new work, for at most wait.
func (s *sender) rest(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-s.wake:
	case <-timer.C:
	case <-s.p.ctx.Done():
	}
}

// collect picks the batches of the next request. Without any it returns
// for how long that stays so unless the sender is woken.
func (s *sender) collect(now time.Time) (wait time.Duration) {
	s.flights = s.flights[:0]
	wait = math.MaxInt64
	size := 0
	s.p.mu.Lock()
	defer s.p.mu.Unlock()
	n := len(s.p.partitions)
	for i := range n {
		part := s.p.partitions[(s.turn+i)%n]
		if part.leader != s.leader || len(part.batches) == 0 {
			continue
		}
		if pause := part.retryAt.Sub(now); pause > 0 {
			wait = min(wait, pause)
			continue
		}
		b := part.batches[0]
		if size += len(b.buf); size > maxRequestBytes && len(s.flights) > 0 {
			s.turn = (s.turn + i) % n
			break
		}
		b.frozen = true
		s.flights = append(s.flights, flight{part: part, b: b})
	}
	return wait
}

// send sends what was collected and deals with the answers.
func (s *sender) send() {
	if err := s.seal(); err != nil {
		if s.p.ctx.Err() == nil {
			s.p.end(err)
		}
		return
	}
	answered := s.p.spans.request(s.flights)
	res, err := s.roundTrip()
	if s.p.ctx.Err() != nil {
		return // Close drops what is under way
	}
	if err != nil {
		for i := range s.flights {
			s.flights[i].err = err
		}
	} else {
		s.judge(res)
	}
	answered(s.failure())
	s.settle()
}

// failure is the first error of the request; nil when all went well.
func (s *sender) failure() error {
	for i := range s.flights {
		if s.flights[i].err != nil {
			return s.flights[i].err
		}
	}
	return nil
}

// seal gives every batch that has none an identity and numbers it. A batch that
// was sent before keeps its bytes.
func (s *sender) seal() error {
	current, err := s.p.session()
	if err != nil {
		return err
	}
	for i := range s.flights {
		part, b := s.flights[i].part, s.flights[i].b
		if b.session != nil {
			continue
		}
		if part.session != current {
			part.session, part.nextSeq = current, 0
		}
		b.session = current
		if s.p.cfg.Compress {
			if err := b.pack(); err != nil {
				return err
			}
		}
		b.encoder.seal(current.producerID, current.epoch, s.p.sequence(part))
	}
	return nil
}

// roundTrip sends one request for all flights, over the sender's own connection.
func (s *sender) roundTrip() (*kmsg.ProduceResponse, error) {
	ctx, cancel := context.WithTimeout(s.p.ctx, s.p.cfg.RequestTimeout)
	defer cancel()
	req := s.request()
	sent := time.Now()
	if layout := s.p.c.layout.Load(); s.addr == "" || s.layout != layout {
		var err error
		s.layout = layout
		if s.addr, err = s.p.c.brokerAt(ctx, s.leader); err != nil {
			return nil, err
		}
	}
	res, err := s.own.exchange(ctx, s.addr, s.p.cfg.RequestTimeout, req)
	if err != nil {
		return nil, err
	}
	s.p.c.metrics.written(s.flights, time.Since(sent))
	return res.(*kmsg.ProduceResponse), nil
}

// request is one for all flights.
func (s *sender) request() *kmsg.ProduceRequest {
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic = s.p.cfg.Topic
	topic.Partitions = make([]kmsg.ProduceRequestTopicPartition, len(s.flights))
	for i := range s.flights {
		s.flights[i].b.sent++
		topic.Partitions[i].Partition = int32(s.flights[i].part.id)
		topic.Partitions[i].Records = s.flights[i].b.buf[sizePrefix:]
	}
	req := kmsg.NewPtrProduceRequest()
	req.SetVersion(produceVersion)
	req.Acks = s.p.acks()
	req.TimeoutMillis = int32((s.p.cfg.RequestTimeout / 2).Milliseconds())
	req.Topics = []kmsg.ProduceRequestTopic{topic}
	return req
}

// judge decides from a response the outcome of each flight.
func (s *sender) judge(res *kmsg.ProduceResponse) {
	for i := range s.flights {
		s.flights[i].err = errors.New("the broker did not answer for this partition")
	}
	for t := range res.Topics {
		for i := range res.Topics[t].Partitions {
			answer := &res.Topics[t].Partitions[i]
			for j := range s.flights {
				if s.flights[j].part.id == int(answer.Partition) {
					s.judgeOne(&s.flights[j], answer)
				}
			}
		}
	}
}

func (s *sender) judgeOne(f *flight, answer *kmsg.ProduceResponseTopicPartition) {
	f.err = nil
	switch code := kafka.Error(answer.ErrorCode); {
	case code != 0 && s.p.cfg.Fleeting:
		f.outcome, f.err = refused, code
	case code == 0 && answer.BaseOffset <= f.part.acked && !s.p.cfg.Fleeting:
		f.outcome, f.err = refused, fmt.Errorf("%w: %s/%d acknowledged offset %d after %d",
			ErrLogReplaced, s.p.cfg.Topic, f.part.id, answer.BaseOffset, f.part.acked)
		s.p.end(f.err)
	case code == 0:
		f.outcome, f.base = acked, answer.BaseOffset
	case isFenced(code) && s.isFenced(f):
		f.outcome, f.err = again, code
		s.p.end(fmt.Errorf("%w: %w", ErrFenced, code))
	case isFenced(code), code == kafka.OutOfOrderSequenceNumber, code == kafka.DuplicateSequenceNumber,
		code == kafka.UnknownProducerId,
		// A write that failed within the broker, whose numbers it may have noted:
		// it would take the same bytes for a repeat and acknowledge what it lacks.
		code == kafka.Unknown:
		f.outcome, f.err = renumber, code
	case isPermanent(code):
		f.outcome, f.err = refused, fmt.Errorf("write to %s/%d: %w", s.p.cfg.Topic, f.part.id, code)
	default:
		f.outcome, f.err = again, code
	}
}

// isFenced distinguishes a newer owner of the transactional id from a newer
// session of this very producer.
func (s *sender) isFenced(f *flight) bool {
	if s.p.cfg.TransactionalID == "" {
		return false
	}
	current, err := s.p.identity.get(s.p.ctx)
	return err == nil && current == f.b.session
}

// settle takes finished batches off their queues, readies the others for
// another attempt, and calls the callbacks.
func (s *sender) settle() {
	if s.p.cfg.Fleeting {
		defer s.giveUp()()
	}
	var failed []*partition
	var failure error
	s.p.mu.Lock()
	for i := range s.flights {
		f := &s.flights[i]
		switch f.outcome {
		case acked:
			s.p.pop(f)
		case refused:
			// The broker may have noted the batch's numbers at an attempt whose
			// answer was lost, and would take the next batch for its repeat.
			f.b.session.lost.Store(true)
			s.p.pop(f)
			if s.p.cfg.Fleeting { // the others are sent to whoever leads by then
				f.part.leader = noLeader
			}
		case renumber:
			f.b.session.lost.Store(true)
			f.b.session = nil
			fallthrough
		case again:
			f.part.leader = noLeader
			failed, failure = append(failed, f.part), f.err
		}
	}
	s.p.mu.Unlock()
	if len(failed) > 0 {
		if layoutIsStale(failure) {
			s.p.c.forgetLayout(s.layout)
		}
		s.p.failed(failure, failed...)
		wake(s.p.route)
	}
	for i := range s.flights {
		switch f := &s.flights[i]; f.outcome {
		case acked:
			f.b.finish(f.base, nil)
		case refused:
			s.p.c.metrics.failed(opProduce, f.err, false)
			f.b.finish(0, f.err)
		}
	}
}

// pop removes a flight's batch from its queue. The caller holds the mutex.
func (p *Producer) pop(f *flight) {
	part := f.part
	part.batches[0] = nil
	part.batches = part.batches[1:]
	p.queued -= f.b.size()
	if part.failures >= loggedFailure {
		if p.troubled--; p.troubled == 0 {
			p.c.metrics.away.Add(-1)
			p.c.cfg.Outage.Over(p)
		}
	}
	part.failures, part.retryAt = 0, time.Time{}
	if f.outcome == acked {
		part.acked = f.base + int64(f.b.count) - 1
		part.nextSeq = int32((int64(part.nextSeq) + int64(f.b.count)) & math.MaxInt32)
	}
}

// size is what the batch's records count towards the producer's bound.
func (b *batch) size() int { return len(b.buf) + b.saved - sizePrefix - batchOverhead }

// finish calls the batch's callbacks and gives the batch back.
func (b *batch) finish(base int64, err error) {
	for i, done := range b.dones {
		if done == nil {
			continue
		}
		if err != nil {
			done(Ack{Err: err})
		} else {
			done(Ack{Offset: base + int64(i), Twice: b.sent > 1})
		}
	}
	if b.flushed != nil {
		close(b.flushed)
	}
	if !b.unsure {
		clear(b.dones)
		*b = batch{encoder: encoder{buf: b.buf}, dones: b.dones[:0]}
		batchPool.Put(b)
	}
}
