package eventlog

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

const (
	defaultQueueBytes = 64 << 20
	// maxBatchBytes bounds one partition's batch; brokers take 1 MiB by default.
	maxBatchBytes = 900 << 10
	// maxRequestBytes bounds what one request carries for all its partitions.
	maxRequestBytes = 8 << 20
)

// ProducerConfig is what a producer writes to.
type ProducerConfig struct {
	Topic string
	// TransactionalID, when not empty, makes this producer the only one that
	// may write under that id: taking it fences whoever took it before. No
	// transaction is ever opened.
	//
	// A broker of Apache Kafka fences an older owner in a partition only once
	// the new owner has written to that partition.
	TransactionalID string
	// Fleeting is for what is of no use later: the leader's acknowledgement is enough,
	// nothing is sent twice, and what fails is dropped, with its error.
	Fleeting bool
	// Pace is the time from one request to a broker to the next: what queues meanwhile
	// leaves together.
	Pace time.Duration
	// Compress has batches compressed from half a kilobyte on.
	Compress bool
	// MaxBytes bounds what is queued and not yet acknowledged, in encoded
	// bytes. Defaults to 64 MiB.
	MaxBytes int
	// RequestTimeout is how long one request may go unanswered before it is
	// repeated over a new connection. Defaults to 10 s.
	RequestTimeout time.Duration
	// OnError, when not nil, is called for every failure that will be tried
	// again, to be counted. It must not block.
	OnError func(error)
}

// Producer writes records to the partitions of one topic. It is safe for
// concurrent use.
//
// It is idempotent: a batch whose answer was lost is sent again byte for byte,
// and the broker recognises it. Only where the broker lost its memory of this
// producer can a batch be in the log twice.
//
// Each leading broker gets one request at a time, which carries all partitions
// of that leader that have something to send; what queues meanwhile goes into
// the next one.
type Producer struct {
	c     *Client
	cfg   ProducerConfig
	spans *spans

	ctx    context.Context // ends with the producer
	cancel context.CancelFunc
	done   chan struct{} // closed when every goroutine ended and every callback was called

	identity identity
	route    chan struct{} // wakes the router; holds at most one wake-up

	mu         sync.Mutex // guards what follows
	ended      error      // why nothing more is accepted
	queued     int        // bytes in batches that are not acknowledged
	partitions []*partition
	byID       map[int]*partition
	senders    map[int32]*sender
	senderWork sync.WaitGroup
	troubled   int // partitions whose failures were logged, or would be
}

// partition is one partition's queue. Only the sender of its leader takes from
// it; without a leader, nothing does.
type partition struct {
	id int

	// Guarded by the producer's mutex.
	leader   int32     // node id, or noLeader
	batches  []*batch  // in order; the last one may still grow
	retryAt  time.Time // the first batch waits until then
	failures int       // failed attempts at the first batch in a row

	// Owned by the sender.
	session *session // whose sequence numbers these are
	nextSeq int32
	acked   int64 // the highest acknowledged offset, or -1
}

const noLeader int32 = -1

// batch is a stretch of one partition's records that is acknowledged as one.
type batch struct {
	encoder
	created time.Time // when its first record was enqueued
	dones   []func(Ack)
	links   []trace.Link  // to the spans of sampled records
	flushed chan struct{} // closed after the callbacks; nil until a Flush asks
	frozen  bool          // it is being sent, or was, and does not grow any more

	// Owned by the sender once frozen.
	session *session // whose identity the sealed bytes carry; nil before
	unsure  bool     // a request with these bytes may still be under way
	sent    int      // how many requests carried it
}

// batchPool keeps batches whose buffers have grown to a useful size.
var batchPool = sync.Pool{New: func() any { return new(batch) }}

// NewProducer returns a producer and starts its goroutines. Close stops them.
func (c *Client) NewProducer(cfg ProducerConfig) *Producer {
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultQueueBytes
	}
	if cfg.RequestTimeout <= 0 {
		cfg.RequestTimeout = requestTimeout
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &Producer{
		c: c, cfg: cfg, spans: newSpans(c.cfg.Tracers, cfg.Topic),
		ctx: ctx, cancel: cancel,
		done:     make(chan struct{}),
		identity: newIdentity(c, cfg),
		route:    make(chan struct{}, 1),
		byID:     make(map[int]*partition),
		senders:  make(map[int32]*sender),
	}
	go p.run()
	return p
}

// Ack is what became of a record.
type Ack struct {
	// Offset is the record's, where Err is nil.
	Offset int64
	// Twice says that the record was sent more than once. Where the broker lost its
	// memory of this producer in between, it is in the log twice, and Offset is that
	// of the second one.
	Twice bool
	Err   error
}

// Produce is Append for those to whom it is all the same whether a record is in
// the log twice. A done of nil is fine.
func (p *Producer) Produce(partition int, rec Record, done func(offset int64, err error)) error {
	if done == nil {
		return p.Append(partition, rec, nil)
	}
	return p.Append(partition, rec, func(a Ack) { done(a.Offset, a.Err) })
}

// Append queues a copy of rec for a partition and returns. Records of one
// partition are written in the order of the calls.
//
// Unless Append returns an error, done is called exactly once, in the order of
// the partition's records, from a goroutine of the producer that does nothing
// else for its broker meanwhile: it must not block. It gets the record's
// offset, or ErrFenced, ErrClosed, ErrLogReplaced or the broker's refusal of
// the record; every other failure is retried forever. An error leaves the
// outcome open: an attempt whose answer was lost may have written
// it, or may still do so.
//
// Append itself returns ErrQueueFull at the bound, ErrRecordTooLarge, or what
// ended the producer.
func (p *Producer) Append(partition int, rec Record, done func(Ack)) error {
	bound := recordBound(&rec)
	if bound+batchOverhead > maxBatchBytes {
		return fmt.Errorf("%w: at most %d bytes", ErrRecordTooLarge, maxBatchBytes-batchOverhead)
	}
	p.mu.Lock()
	if p.ended != nil {
		p.mu.Unlock()
		return p.ended
	}
	if p.queued+bound > p.cfg.MaxBytes {
		p.mu.Unlock()
		return ErrQueueFull
	}
	part := p.partition(partition)
	b := part.open(bound)
	before := len(b.buf)
	b.encoder.append(&rec, time.Now())
	b.dones = append(b.dones, done)
	p.spans.note(b, &rec)
	p.queued += len(b.buf) - before
	leader := part.leader
	s := p.senders[leader]
	p.mu.Unlock()

	if s != nil {
		wake(s.wake)
	} else {
		wake(p.route)
	}
	return nil
}

// partition finds or makes a partition's queue. The caller holds the mutex.
func (p *Producer) partition(id int) *partition {
	part := p.byID[id]
	if part == nil {
		part = &partition{id: id, leader: noLeader, acked: -1}
		p.byID[id] = part
		p.partitions = append(p.partitions, part)
	}
	return part
}

// open returns the batch that a record of at most bound bytes goes into.
func (part *partition) open(bound int) *batch {
	if n := len(part.batches); n > 0 {
		last := part.batches[n-1]
		if !last.frozen && len(last.buf)+bound <= maxBatchBytes+sizePrefix {
			return last
		}
	}
	b := batchPool.Get().(*batch)
	b.reset()
	b.created = time.Now()
	part.batches = append(part.batches, b)
	return b
}

// Init takes the producer's identity now instead of with the first record. With
// a transactional id, whoever had it before is fenced when Init returns. It
// waits for the cluster until ctx ends.
func (p *Producer) Init(ctx context.Context) error {
	ctx, stop := joinContext(ctx, p.ctx)
	defer stop()
	_, err := p.identity.get(ctx)
	if err != nil && p.ctx.Err() != nil {
		return p.err()
	}
	if errors.Is(err, ErrFenced) {
		p.end(err)
	}
	return err
}

// Flush waits until everything that was queued when it was called has been
// acknowledged or refused, and its callbacks have returned. It returns early
// with what ended the producer, or when ctx ends.
func (p *Producer) Flush(ctx context.Context) error {
	for _, flushed := range p.pending() {
		select {
		case <-flushed:
		case <-p.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if p.ctx.Err() != nil {
		return p.err()
	}
	return nil
}

// pending returns, for each partition, what is closed once everything that is
// queued now has been dealt with.
func (p *Producer) pending() []chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pending []chan struct{}
	for _, part := range p.partitions {
		if n := len(part.batches); n > 0 {
			last := part.batches[n-1]
			if last.flushed == nil {
				last.flushed = make(chan struct{})
			}
			pending = append(pending, last.flushed)
		}
	}
	return pending
}

// Unacked returns how many records are not yet acknowledged and when the oldest
// of them was queued; the time is zero without any.
func (p *Producer) Unacked() (oldest time.Time, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, part := range p.partitions {
		for i, b := range part.batches {
			n += b.count
			if i == 0 && (oldest.IsZero() || b.created.Before(oldest)) {
				oldest = b.created
			}
		}
	}
	return oldest, n
}

// Close drops what is queued, whose callbacks get ErrClosed although a record
// under way may still be written, and waits until everything that the
// producer started has ended. Do not call it from a callback.
func (p *Producer) Close() error {
	p.end(ErrClosed)
	<-p.done
	return nil
}

// Drain waits until everything queued was dealt with, then closes. When ctx
// ends first it closes nevertheless and returns why.
func (p *Producer) Drain(ctx context.Context) error {
	err := p.Flush(ctx)
	p.Close()
	return err
}

// end makes the producer stop because of err; only the first call counts.
func (p *Producer) end(err error) {
	p.mu.Lock()
	if p.ended == nil {
		p.ended = err
	}
	p.mu.Unlock()
	p.cancel()
}

// err returns what ended the producer.
func (p *Producer) err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended
}

// wake makes sure that the owner of ch checks its work again.
func wake(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}
