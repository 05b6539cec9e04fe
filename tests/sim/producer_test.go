package sim

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
)

var errSimProducer = errors.New("the log did not take it")

// producer is a producer of records to the partitions of one topic. The
// scheduler decides when the broker takes a record and when the answer arrives.
type producer struct {
	write func(partition int, key string, value []byte) int64

	mu     sync.Mutex // results that are made beside the scheduler may publish
	queues [partitions][]*pending
	late   [partitions]*late // refused, and still on the way
	firm   bool              // it never gives up
	closed bool              // nobody waits for answers any more; what is under way may still land

	reuses bool              // a planted bug: see plantReuse
	reused [partitions]int64 // the offset that is acknowledged next; 0: none
}

// late is a record that was refused while an attempt before was on its way.
type late struct {
	record *pending
	until  int64 // where the void rule would not know it any more
}

// pending is a record that is not acknowledged.
type pending struct {
	key    string
	value  []byte
	done   func(eventlog.Ack)
	since  time.Time
	offset int64 // -1: the broker has not taken it
	twice  bool  // the broker has taken it again
}

func (p *producer) Produce(partition int, r eventlog.Record, done func(int64, error)) error {
	return p.Append(partition, r, func(a eventlog.Ack) { done(a.Offset, a.Err) })
}

func (p *producer) Append(partition int, r eventlog.Record, done func(eventlog.Ack)) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return errSimProducer
	}
	p.queues[partition] = append(p.queues[partition], &pending{
		key: string(r.Key), value: append([]byte{}, r.Value...), done: done, since: time.Now(), offset: -1,
	})
	return nil
}

func (p *producer) Unacked() (oldest time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, q := range p.queues {
		if len(q) > 0 && (n == 0 || q[0].since.Before(oldest)) {
			oldest = q[0].since
		}
		n += len(q)
	}
	return oldest, n
}

func (p *producer) Flush(context.Context) error { return nil }

// Close fails what is not acknowledged; it may land all the same.
func (p *producer) Close() error {
	p.mu.Lock()
	p.closed = true
	queues := p.queues
	p.mu.Unlock()
	for _, q := range queues {
		for _, r := range q {
			r.done(eventlog.Ack{Err: errSimProducer})
		}
	}
	return nil
}

// oldest is the oldest record of a partition that is not answered; nil: there is
// none.
func (p *producer) oldest(partition int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.queues[partition]; len(q) > 0 {
		return q[0].value
	}
	return nil
}

// land has the broker take the next record of a partition.
func (p *producer) land(partition int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.queues[partition] {
		if r.offset >= 0 {
			continue
		}
		if p.reused[partition] > 0 {
			r.offset, p.reused[partition] = p.reused[partition], 0
			return true
		}
		r.offset = p.write(partition, r.key, r.value)
		return true
	}
	return false
}

// answer acknowledges the oldest record of a partition, if the broker has it.
func (p *producer) answer(partition int) bool {
	p.mu.Lock()
	q := p.queues[partition]
	if len(q) == 0 || q[0].offset < 0 {
		p.mu.Unlock()
		return false
	}
	p.queues[partition] = q[1:]
	heard := !p.closed
	p.mu.Unlock()
	if heard {
		q[0].done(eventlog.Ack{Offset: q[0].offset, Twice: q[0].twice})
	}
	return true
}

// fail refuses the oldest record, which may be in the log all the same: then it
// is the answer to a repeat. The log ends at end.
func (p *producer) fail(partition int, end int64) bool {
	p.mu.Lock()
	q := p.queues[partition]
	if len(q) == 0 || p.firm || p.closed {
		p.mu.Unlock()
		return false
	}
	p.queues[partition] = q[1:]
	p.mu.Unlock()
	switch r := q[0]; {
	case r.offset < 0:
		p.late[partition] = &late{r, end + voidWindow}
	case p.reuses:
		p.reused[partition] = r.offset
	}
	q[0].done(eventlog.Ack{Err: errSimProducer})
	return true
}

// landLate has the broker take a record that was refused meanwhile, while the
// void rule would still know what came before it.
func (p *producer) landLate(partition int, end int64) bool {
	l := p.late[partition]
	p.late[partition] = nil
	if l == nil || end >= l.until {
		return false
	}
	p.write(partition, l.record.key, l.record.value)
	return true
}

// landed are the records that the broker has and has not acknowledged.
func (p *producer) landed(partition int) []*pending {
	p.mu.Lock()
	defer p.mu.Unlock()
	q := p.queues[partition]
	for i, r := range q {
		if r.offset < 0 {
			return q[:i]
		}
	}
	return q
}

// waits says whether something is not acknowledged.
func (p *producer) waits(partition int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.queues[partition]) > 0
}

// repeat sends again what was not acknowledged, to a broker that has forgotten
// this producer.
func (p *producer) repeat(partition int) bool {
	landed := p.landed(partition)
	for _, r := range landed {
		r.offset, r.twice = p.write(partition, r.key, r.value), true
	}
	return len(landed) > 0
}
