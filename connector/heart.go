package connector

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

const (
	beatEvery   = time.Second
	beatTimeout = 2 * time.Second // after which a beat is sent over a new connection
	// silence between two beats, after which beats check whether the lease has
	// run out. A lease takes longer: its ticks are a second apart.
	silence = 5 * time.Second
)

// heart publishes a beat each second while the incarnation runs. It has
// connections of its own: a beat must not wait in a queue of events.
type heart struct {
	inc     *incarnation
	started chan struct{} // closed when the first beat is acknowledged
	newest  atomic.Pointer[ackedBeat]
	leaving atomic.Bool // published in every beat from now on
}

// ackedBeat is a beat that parley.control holds.
type ackedBeat struct {
	at     time.Time // when it was sent; monotonic, as clocks are set
	offset int64     // -1: there was none yet
}

// age is how long ago the beat was, by whichever clock shows more: the monotonic
// one stops while a machine is suspended.
func (b *ackedBeat) age() time.Duration {
	now := time.Now()
	return max(now.Sub(b.at), now.Round(0).Sub(b.at.Round(0)))
}

func newHeart(inc *incarnation) *heart {
	h := &heart{inc: inc, started: make(chan struct{})}
	h.newest.Store(&ackedBeat{time.Now(), -1})
	return h
}

func (h *heart) lastAck() time.Time { return h.newest.Load().at }

// choosePartition names the partition of the pushes that this incarnation
// reads: the one that the fewest living connectors read.
func (h *heart) choosePartition(ctx context.Context) (int, error) {
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
	return fewest(readersOf(living, h.inc.log.Partitions), h.inc.id), nil
}

// readersOf counts who reads each partition. A damaged beat may name any.
func readersOf(living map[string]int, partitions int) []int {
	readers := make([]int, partitions)
	for _, p := range living {
		if p >= 0 && p < partitions {
			readers[p]++
		}
	}
	return readers
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
	defer h.inc.cfg.Kafka.Outage.Forget(h)
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
		if err := h.send(ctx, client, producer); err != nil {
			if eventlog.IsRefused(err) || errors.Is(err, errLapsed) {
				return fmt.Errorf("beat: %w", err)
			}
			h.inc.cfg.Kafka.Outage.Note(ctx, h, "waiting for the acknowledgement of a beat", err)
			return nil
		}
		h.inc.cfg.Kafka.Outage.Over(h)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// send appends a beat and waits for its acknowledgement.
func (h *heart) send(ctx context.Context, client *eventlog.Client, producer *eventlog.Producer) error {
	ctx, cancel := context.WithTimeout(ctx, beatTimeout)
	defer cancel()
	now := time.Now()
	value, err := proto.Marshal(&schema.Beat{
		PushPartition: int32(h.inc.pushPartition), Time: now.UnixMilli(), Format: schema.NewestFormat,
		Address: h.inc.cfg.Listen, Leaving: h.leaving.Load(), Trouble: h.inc.troubles(), Version: roles.Version(),
		TokenAge: h.tokenAge(),
	})
	if err != nil {
		return err
	}
	record := eventlog.Record{Key: []byte(schema.ControlKeyBeat(h.inc.id)), Value: value}
	offset, err := producer.ProduceSync(ctx, 0, record)
	if err != nil {
		return err
	}
	if before := h.newest.Load(); before.offset >= 0 && before.age() > silence {
		err := lapse(h.inc.id, before.offset, offset, func(from, to int64, fn func(eventlog.Record) error) error {
			return client.ReadRange(ctx, schema.TopicControl, 0, from, to, 0, fn)
		})
		if err != nil {
			return err
		}
	}
	h.beaten(now, offset)
	return nil
}

// tokenAge is how long after its iat a token can expire, in milliseconds; 0: any
// time after.
func (h *heart) tokenAge() int64 {
	if auth := h.inc.cfg.Auth; auth != nil {
		return auth.MaxAge.Milliseconds()
	}
	return 0
}

func (h *heart) beaten(at time.Time, offset int64) {
	h.newest.Store(&ackedBeat{at, offset})
	select {
	case <-h.started:
	default:
		close(h.started)
	}
}

// errLapsed ends an incarnation that was silent for a whole lease.
var errLapsed = errors.New("this connector was silent for a whole lease, it may have been declared down")

// lapse is errLapsed when a connector's lease may have run out between two of
// its beats, at these offsets of parley.control. The down that follows then may
// wait for a partition that cannot be written, and must not find a connector
// that has beaten again meanwhile. Where compaction has removed records, nobody
// can tell.
func lapse(id string, before, now int64, read func(from, to int64, fn func(eventlog.Record) error) error) error {
	records, ticks, most := int64(0), 0, 0
	err := read(before+1, now, func(r eventlog.Record) error {
		records++
		switch string(r.Key) {
		case schema.ControlKeyTick:
			ticks++
			most = max(most, ticks)
		case schema.ControlKeyClaim, schema.ControlKeyBeat(id):
			ticks = 0
		}
		return nil
	})
	var corrupt *eventlog.CorruptError
	var cut *eventlog.OffsetError
	switch {
	case errors.As(err, &corrupt), errors.As(err, &cut):
		return errLapsed
	case err != nil:
		return fmt.Errorf("check whether the lease has run out: %w", err)
	case most >= schema.LeaseTicks || records < now-before-1:
		return errLapsed
	}
	return nil
}

// leave publishes that the incarnation has drained. It is declared down when its
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
	return h.send(ctx, client, producer)
}
