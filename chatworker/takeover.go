package chatworker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// takeOver makes this worker the owner of a partition's state and restores it.
// The claim comes first: nobody else can write the state after it.
func (w *Worker) takeOver(ctx context.Context, a eventlog.Assignment) (*partition, error) {
	if p, err := w.resume(ctx, a); p != nil || err != nil {
		return p, err
	}
	state := w.client.NewProducer(eventlog.ProducerConfig{
		Topic:           schema.TopicState,
		TransactionalID: fmt.Sprintf("worker-%s-%d", w.cfg.Group, a.Partition),
	})
	f, end, err := w.claim(ctx, state, a.Partition)
	if err != nil {
		state.Close()
		return nil, err
	}
	return &partition{w: w, assignment: a, fold: f, readFrom: f.ReadFrom(), from: takenFromCheckpoint, state: state, stateEnd: end}, nil
}

// resume continues with a partition that this worker had before the rebalance,
// if nobody has claimed it since.
func (w *Worker) resume(ctx context.Context, a eventlog.Assignment) (*partition, error) {
	p := w.kept.claim(a.Partition)
	if p == nil {
		return nil, nil
	}
	_, end, err := w.client.Offsets(ctx, schema.TopicState, a.Partition)
	if err != nil || end != p.stateEnd {
		p.state.Close()
		return nil, err
	}
	p.assignment, p.from = a, takenFromMemory
	return p, nil
}

// claim fences the owner before, claims the partition's state and restores it.
// It also returns the end of the state, which is just after the claim.
func (w *Worker) claim(ctx context.Context, state *eventlog.Producer, partition int) (*fold.Fold, int64, error) {
	if err := state.Init(ctx); err != nil {
		return nil, 0, fmt.Errorf("fence the owner before: %w", err)
	}
	claim, err := newEntry(partition, schema.StateKeyClaim, &schema.StateClaim{Worker: w.id, Time: time.Now().UnixMilli()})
	if err != nil {
		return nil, 0, err
	}
	claimed, err := appendAll(ctx, state, claim)
	if err != nil {
		return nil, 0, fmt.Errorf("claim the state: %w", err)
	}
	checkpoint, err := w.readState(ctx, partition, claimed)
	if err != nil {
		return nil, 0, fmt.Errorf("read the checkpoint: %w", err)
	}
	f, err := fold.Restore(fold.Log{
		Partition: int32(partition), Epoch: w.epoch.Epoch, TopicID: w.epoch.TopicID, Window: w.epoch.Window,
	}, checkpoint)
	if err != nil {
		return nil, 0, err
	}
	return f, claimed + 1, nil
}

// readState returns what the partition's state holds below the claim.
func (w *Worker) readState(ctx context.Context, partition int, claim int64) (*fold.Checkpoint, error) {
	for {
		first, _, err := w.client.Offsets(ctx, schema.TopicState, partition)
		if err != nil {
			return nil, err
		}
		checkpoint := fold.NewCheckpoint()
		err = w.client.ReadRange(ctx, schema.TopicState, partition, first, claim+1, 0, func(r eventlog.Record) error {
			checkpoint.Put(fold.Record{Key: string(r.Key), Value: r.Value})
			return nil
		})
		var compacted *eventlog.OffsetError
		if errors.As(err, &compacted) && compacted.First > first {
			continue // the log was compacted meanwhile and begins later now
		}
		return checkpoint, err
	}
}

// keepFor is how long a partition that was given up is kept in memory: longer
// than a rebalance takes.
const keepFor = 15 * time.Second

// keptPartitions are partitions that were given up in order, for the case that
// the group gives them back. The zero value is ready for use.
type keptPartitions struct {
	mu         sync.Mutex
	partitions map[int]*keptPartition
	closing    sync.WaitGroup // producers of partitions that were kept long enough
}

type keptPartition struct {
	*partition
	expiry *time.Timer
}

// put keeps a partition for a while and then closes its producer.
func (k *keptPartitions) put(p *partition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.partitions == nil {
		k.partitions = map[int]*keptPartition{}
	}
	id := p.assignment.Partition
	kept := &keptPartition{partition: p}
	kept.expiry = time.AfterFunc(keepFor, func() {
		if k.remove(id, kept) {
			defer k.closing.Done()
			p.state.Close()
		}
	})
	k.partitions[id] = kept
}

// remove takes out a partition whose time is up, if it is still there, and
// counts it as closing.
func (k *keptPartitions) remove(id int, kept *keptPartition) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.partitions[id] != kept {
		return false
	}
	k.closing.Add(1)
	delete(k.partitions, id)
	return true
}

// claim returns a partition that was kept, which is the caller's then, or nil.
func (k *keptPartitions) claim(id int) *partition {
	k.mu.Lock()
	defer k.mu.Unlock()
	kept := k.partitions[id]
	if kept == nil {
		return nil
	}
	kept.expiry.Stop()
	delete(k.partitions, id)
	return kept.partition
}

// close lets go of all of them.
func (k *keptPartitions) close() {
	k.mu.Lock()
	kept := k.partitions
	k.partitions = nil
	k.mu.Unlock()
	for _, p := range kept {
		p.expiry.Stop()
		p.state.Close()
	}
	k.closing.Wait()
}
