package connector

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	beatEvery   = time.Second
	beatTimeout = 2 * time.Second // after which a beat is sent over a new connection
)

// heart says once a second that the incarnation lives. It has connections of
// its own: a beat must not queue behind events.
type heart struct {
	inc     *incarnation
	started chan struct{}             // closed when the first beat is acknowledged
	acked   atomic.Pointer[time.Time] // when the newest acknowledged beat was; monotonic, as clocks are set
	leaving atomic.Bool               // said by every beat from now on
}

func newHeart(inc *incarnation) *heart {
	h := &heart{inc: inc, started: make(chan struct{})}
	now := time.Now()
	h.acked.Store(&now)
	return h
}

func (h *heart) lastAck() time.Time { return *h.acked.Load() }

// choosePartition names the partition of the pushes that this incarnation
// reads: the one that the fewest living connectors read.
func (h *heart) choosePartition(ctx context.Context) (int, error) {
	readers := make([]int, h.inc.log.Partitions)
	living := map[string]int{}
	err := epoch.ReadControl(ctx, h.inc.kafka, func(r eventlog.Record) error {
		id, ok := schema.ControlBeatOf(string(r.Key))
		var beat schema.Beat
		switch {
		case !ok:
		case r.Value == nil:
			delete(living, id)
		case proto.Unmarshal(r.Value, &beat) == nil:
			living[id] = int(beat.PushPartition)
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read the connectors' beats: %w", err)
	}
	for _, p := range living {
		if p < len(readers) {
			readers[p]++
		}
	}
	return fewest(readers, h.inc.id), nil
}

// fewest is the least of counts; among equals id decides.
func fewest(counts []int, id string) int {
	f := fnv.New32a()
	f.Write([]byte(id))
	first := int(f.Sum32()) % len(counts)
	best := first
	for i := range counts {
		if p := (first + i) % len(counts); counts[p] < counts[best] {
			best = p
		}
	}
	return best
}

// run beats until ctx ends.
func (h *heart) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := h.beatUntilStuck(ctx); err != nil {
			return err
		}
	}
	return nil
}

// beatUntilStuck beats over one connection until a beat goes unanswered. One
// that the cluster refuses is an error.
func (h *heart) beatUntilStuck(ctx context.Context) error {
	client, err := eventlog.New(h.inc.cfg.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	producer := client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	defer producer.Close()
	tick := time.NewTicker(beatEvery)
	defer tick.Stop()
	for {
		if err := h.send(ctx, producer); err != nil {
			if eventlog.IsRefused(err) {
				return fmt.Errorf("beat: %w", err)
			}
			if ctx.Err() == nil {
				h.inc.logger.Warn("a beat was not acknowledged", "error", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// send appends a beat and waits for its acknowledgement.
func (h *heart) send(ctx context.Context, producer *eventlog.Producer) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	now := time.Now()
	value, err := proto.Marshal(&schema.Beat{
		PushPartition: int32(h.inc.pushPartition), Time: now.UnixMilli(), Format: schema.NewestFormat,
		Address: h.inc.cfg.Listen, Leaving: h.leaving.Load(),
	})
	if err != nil {
		return err
	}
	answer := make(chan error, 1)
	record := eventlog.Record{Key: []byte(schema.ControlKeyBeat(h.inc.id)), Value: value}
	if err := producer.Produce(0, record, func(_ int64, err error) { answer <- err }); err != nil {
		return err
	}
	select {
	case err := <-answer:
		if err == nil {
			h.beaten(now)
		}
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *heart) beaten(at time.Time) {
	h.acked.Store(&at)
	select {
	case <-h.started:
	default:
		close(h.started)
	}
}

// leave says that the incarnation has drained. It is declared down when its
// users have had time to come back elsewhere.
func (h *heart) leave(ctx context.Context) error {
	h.leaving.Store(true)
	client, err := eventlog.New(h.inc.cfg.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	producer := client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	defer producer.Close()
	return h.send(ctx, producer)
}
