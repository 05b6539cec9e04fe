package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	defaultFetchBytes = 1 << 20
	defaultFetchWait  = 500 * time.Millisecond
	// fetchVersion is the first version that fetches by topic id.
	fetchVersion = 13
	// fetchGrace is how much longer than its wait a fetch may take.
	fetchGrace = 5 * time.Second
	// corruptAttempts is how often a batch is fetched before it counts as corrupt
	// in the log and not in transit.
	corruptAttempts = 3
)

// ReaderConfig is what to read and how.
type ReaderConfig struct {
	Topic     string
	Partition int
	// TopicID, when not zero, is the id that the topic must have; without it the
	// first topic found under the name is the one. See [Client.TopicInfo].
	TopicID [16]byte
	// Offset is where reading starts. Ask [Client.Offsets] for the first one
	// or the end.
	Offset int64
	// Committed leaves out what was written in a transaction that was aborted, and
	// reads no further than to the first one that is open; the end of a batch is that
	// offset then. Others than roles may write so.
	Committed bool
	// MinBytes is what a fetch waits for, for at most MaxWait. Defaults to 1:
	// every record at once.
	MinBytes int
	// MaxBytes is about how much one fetch brings; a batch larger than that
	// comes alone. Defaults to 1 MiB.
	MaxBytes int
	// MaxWait is how long the broker holds a fetch that finds too little.
	// Defaults to 500 ms.
	MaxWait time.Duration
	// Own gives the reader a connection of its own, which is for those that read all
	// the time: it takes less of the processor, and a login of its own. Others use
	// what connections the client has.
	Own bool
	// OnReconnect, when not nil, is called before anything is returned that
	// was read over a connection opened since the last call, the first one
	// included, and after the cluster reported that it has no such topic. It runs
	// within Next. Its error ends the reader.
	OnReconnect func(context.Context) error
	// OnFetch, when not nil, is called after every fetch that succeeded, even when
	// it brought nothing. It runs within Next.
	OnFetch func()
}

// Reader follows one partition. It is for one goroutine, except for Close.
type Reader struct {
	c      *Client
	cfg    ReaderConfig
	offset int64

	own    *link     // nil without
	leader string    // what own is to ask; "": not known
	asked  time.Time // when leader was looked up

	topicID  [16]byte // the topic that is read; zero while not known
	checked  uint64   // connections that OnReconnect knows of
	layout   uint64   // the cluster layout that the last attempt went by
	suspects int      // failed attempts to decode the batch at offset
	failures int      // failed attempts in a row
	ended    error    // what every further call returns

	alive  context.Context // ends when the reader is closed
	cancel context.CancelFunc
}

// NewReader returns a reader. The first call of Next opens its connection.
func (c *Client) NewReader(cfg ReaderConfig) *Reader {
	if cfg.MinBytes <= 0 {
		cfg.MinBytes = 1
	}
	if cfg.MaxBytes <= 0 {
		cfg.MaxBytes = defaultFetchBytes
	}
	if cfg.MaxWait <= 0 {
		cfg.MaxWait = defaultFetchWait
	}
	alive, cancel := context.WithCancel(context.Background())
	r := &Reader{c: c, cfg: cfg, offset: cfg.Offset, topicID: cfg.TopicID, alive: alive, cancel: cancel}
	if cfg.Own {
		r.own = &link{c: c}
	}
	return r
}

// Close ends a call of Next that is under way, and every later one, with
// ErrClosed.
func (r *Reader) Close() error {
	r.cancel()
	r.gone()
	if r.own != nil {
		r.own.close()
	}
	return nil
}

// Next blocks until there are records at the reader's position, or until the
// position moved over a hole in a compacted log. It returns at once when ctx
// ends, and can be called again then.
//
// It waits out every trouble with the cluster. Its permanent errors are an
// [*OffsetError] when the partition does not hold the offset, ErrLogReplaced
// when the topic was created again, a refusal of the cluster, or the error of
// OnReconnect. After a [*CorruptError] the next call continues after it.
func (r *Reader) Next(ctx context.Context) (Batch, error) {
	for {
		batch, err := r.poll(ctx)
		if err != nil || len(batch.Records) > 0 || batch.NextOffset > r.offset {
			if err == nil {
				r.offset = batch.NextOffset
			}
			return batch, err
		}
	}
}

// poll fetches once successfully. The batch may be empty and the position then
// stays; it does not move the reader's position itself.
func (r *Reader) poll(ctx context.Context) (Batch, error) {
	if r.ended != nil {
		return Batch{}, r.ended
	}
	ctx, stop := joinContext(ctx, r.alive)
	defer stop()
	for {
		batch, err := r.attempt(ctx)
		if err == nil {
			r.recovered()
			if r.cfg.OnFetch != nil {
				r.cfg.OnFetch()
			}
			return batch, nil
		}
		if ctx.Err() != nil {
			return Batch{}, r.interrupted(ctx)
		}
		var corrupt *CorruptError
		if errors.As(err, &corrupt) {
			if r.suspects++; r.suspects >= corruptAttempts {
				r.suspects, r.offset = 0, corrupt.NextOffset
				return Batch{}, err
			}
		} else if final, err := asFinal(err); final {
			r.gone()
			r.c.metrics.failed(opFetch, err, false)
			r.ended = err
			return Batch{}, err
		}
		r.leader = "" // it may be another one by now
		r.trouble(err)
		if err := sleep(ctx, retryDelay(r.failures)); err != nil {
			return Batch{}, r.interrupted(ctx)
		}
	}
}

// attempt fetches once. What it returns has passed OnReconnect.
func (r *Reader) attempt(ctx context.Context) (Batch, error) {
	r.layout = r.c.layout.Load()
	if r.topicID == ([16]byte{}) {
		if err := r.identify(ctx); err != nil {
			return Batch{}, err
		}
	}
	batch, err := r.fetch(ctx)
	if errors.Is(err, kafka.UnknownTopicOrPartition) || errors.Is(err, kafka.UnknownTopicID) ||
		errors.Is(err, kafka.InconsistentTopicID) {
		if err := r.identify(ctx); err != nil {
			return Batch{}, err
		}
		if err := r.guard(ctx); err != nil {
			return Batch{}, err
		}
	}
	if err != nil {
		return Batch{}, err
	}
	if r.isNew() {
		if err := r.guard(ctx); err != nil {
			return Batch{}, err
		}
	}
	return batch, nil
}

// identify learns which topic has the name, and insists that it stays the
// same one.
func (r *Reader) identify(ctx context.Context) error {
	info, err := r.c.lookUpTopic(ctx, r.cfg.Topic)
	if err != nil {
		return err
	}
	if r.topicID != ([16]byte{}) && r.topicID != info.ID {
		return fmt.Errorf("%w: topic %s has id %x instead of %x", ErrLogReplaced, r.cfg.Topic, info.ID, r.topicID)
	}
	r.topicID = info.ID
	return nil
}

// isNew reports whether the last answer may have come over a connection that the
// reader's owner does not know of. Those of others do not concern one of its own.
func (r *Reader) isNew() bool {
	if r.own != nil {
		return r.own.fresh
	}
	return r.checked != r.c.conns.opened.Load()
}

// guard asks the reader's owner whether the log is still the one it knows.
func (r *Reader) guard(ctx context.Context) error {
	opened := r.c.conns.opened.Load()
	if r.cfg.OnReconnect != nil {
		if err := r.cfg.OnReconnect(ctx); err != nil {
			return &guardError{err}
		}
	}
	r.checked = opened
	if r.own != nil {
		r.own.fresh = false
	}
	return nil
}

// guardError marks an error of OnReconnect.
type guardError struct{ error }

// fetch sends one request and decodes what it brings.
func (r *Reader) fetch(ctx context.Context) (Batch, error) {
	res, err := r.ask(ctx, r.request())
	if err != nil {
		return Batch{}, err
	}
	fetched := res.(*kmsg.FetchResponse)
	if fetched.ErrorCode != 0 {
		return Batch{}, r.refused(fetched.ErrorCode)
	}
	if len(fetched.Topics) != 1 || len(fetched.Topics[0].Partitions) != 1 {
		return Batch{}, errors.New("a broker answered a fetch of one partition with another number")
	}
	p := &fetched.Topics[0].Partitions[0]
	switch kafka.Error(p.ErrorCode) {
	case 0:
		return r.decode(p)
	case kafka.OffsetOutOfRange:
		return Batch{}, r.outOfRange(ctx)
	}
	return Batch{}, r.refused(p.ErrorCode)
}

// ask sends a request to the partition's leader.
func (r *Reader) ask(ctx context.Context, req kmsg.Request) (res kmsg.Response, err error) {
	if r.own == nil {
		return r.c.exchange(ctx, r.cfg.MaxWait+fetchGrace, &exchange{
			req: req, leaderOf: topicPartition{r.cfg.Topic, int32(r.cfg.Partition)},
		})
	}
	// A leader that became a follower goes on answering, only later.
	if r.leader == "" || time.Since(r.asked) > r.c.transport.MetadataTTL {
		if r.leader, err = r.c.leader(ctx, r.cfg.Topic, r.cfg.Partition); err != nil {
			return nil, err
		}
		r.asked = time.Now()
	}
	return r.own.exchange(ctx, r.leader, r.cfg.MaxWait+fetchGrace, req)
}

// refused names a broker's refusal of a fetch.
func (r *Reader) refused(code int16) error {
	return fmt.Errorf("read %s/%d at %d: %w", r.cfg.Topic, r.cfg.Partition, r.offset, kafka.Error(code))
}

// request asks for the records at the reader's position, by topic id.
func (r *Reader) request() *kmsg.FetchRequest {
	req := kmsg.NewPtrFetchRequest()
	req.SetVersion(fetchVersion)
	req.MaxWaitMillis = int32(r.cfg.MaxWait.Milliseconds())
	req.MinBytes = int32(r.cfg.MinBytes)
	req.MaxBytes = int32(r.cfg.MaxBytes)
	req.SessionEpoch = -1 // no fetch session
	if r.cfg.Committed {
		req.IsolationLevel = int8(kafka.ReadCommitted)
	}
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition = int32(r.cfg.Partition)
	p.FetchOffset = r.offset
	p.PartitionMaxBytes = int32(r.cfg.MaxBytes)
	t := kmsg.NewFetchRequestTopic()
	t.TopicID = r.topicID
	t.Partitions = []kmsg.FetchRequestTopicPartition{p}
	req.Topics = []kmsg.FetchRequestTopic{t}
	return req
}

// decode returns what a fetch brought. Records before a corrupt stretch are
// returned first; the next fetch then meets the stretch itself.
func (r *Reader) decode(p *kmsg.FetchResponseTopicPartition) (Batch, error) {
	end, aborted := p.HighWatermark, (*abortedBatches)(nil)
	if r.cfg.Committed {
		end, aborted = p.LastStableOffset, newAbortedBatches(p.AbortedTransactions)
	}
	records, next, skip, err := decodeCommitted(p.RecordBatches, r.offset, nil, aborted)
	if err != nil && next == r.offset {
		return Batch{}, &CorruptError{r.cfg.Topic, r.cfg.Partition, next, skip, err}
	}
	if len(p.RecordBatches) > 0 && next == r.offset {
		return Batch{}, fmt.Errorf("a fetch of %s/%d at %d returned no complete batch at or above it",
			r.cfg.Topic, r.cfg.Partition, r.offset)
	}
	return Batch{Records: records, NextOffset: next, End: end}, nil
}

// outOfRange returns what the partition holds instead.
func (r *Reader) outOfRange(ctx context.Context) error {
	first, end, err := r.c.listOffsets(ctx, r.cfg.Topic, r.cfg.Partition, kafka.ReadUncommitted)
	if err != nil {
		return err
	}
	if first <= r.offset && r.offset <= end {
		return kafka.OffsetNotAvailable // it grew meanwhile, or the leader changed
	}
	return &OffsetError{r.cfg.Topic, r.cfg.Partition, r.offset, first, end}
}

// asFinal reports whether a reader cannot continue after err, and the error for
// its owner then. A topic that does not exist may still appear, or come back: a broker
// that starts does not know its topics at once.
func asFinal(err error) (bool, error) {
	var guard *guardError
	if errors.As(err, &guard) {
		return true, guard.error
	}
	var offset *OffsetError
	return errors.As(err, &offset) || errors.Is(err, ErrLogReplaced) ||
		isPermanent(err) && !errors.Is(err, ErrUnknownTopic), err
}

// interrupted returns why the wait ended.
func (r *Reader) interrupted(ctx context.Context) error {
	if r.alive.Err() != nil {
		return ErrClosed
	}
	return ctx.Err()
}
