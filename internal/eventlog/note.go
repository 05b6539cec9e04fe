package eventlog

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// MaxNote is how many bytes of a note brokers take, unless they are configured
// otherwise (offset.metadata.max.bytes).
const MaxNote = 4096

// errUnsure means that nobody knows whether a commit reached the broker, or still will.
var errUnsure = errors.New("whether the broker has it is unknown")

// CommitNoting is Commit, and leaves a note beside the offset, which [Assignment.Noted]
// reads. It asks once, and waits for the answer for a second longer than ctx lasts.
//
// Offset and note never go back: where there is no answer, the request may still arrive,
// after a newer one. Nothing more is committed by this membership then, and the member
// joins the group again as another one, after which the broker refuses what arrives.
func (a Assignment) CommitNoting(ctx context.Context, nextOffset int64, note string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if a.generation == nil {
		return ErrClosed
	}
	failed := func(err error) error {
		return fmt.Errorf("commit offset %d of %s/%d: %w", nextOffset, a.Topic, a.Partition, err)
	}
	if a.membership.unsure.Load() {
		return failed(fmt.Errorf("one before it is under way: %w", errUnsure))
	}
	asking, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(leavePatience, stop) })()
	res, err := a.client.kafka.OffsetCommit(asking, &kafka.OffsetCommitRequest{
		GroupID: a.generation.GroupID, GenerationID: int(a.generation.ID), MemberID: a.generation.MemberID,
		Topics: map[string][]kafka.OffsetCommit{a.Topic: {{Partition: a.Partition, Offset: nextOffset, Metadata: note}}},
	})
	if err != nil {
		err = failed(fmt.Errorf("%w: %w", errUnsure, err))
		a.membership.unsure.Store(true)
		a.membership.end(err)
		return err
	}
	for _, p := range res.Topics[a.Topic] {
		err = errors.Join(err, p.Error)
	}
	if err != nil {
		return failed(err)
	}
	return nil
}

// Noted is the offset that the group has committed last, or -1, and the note beside it.
// Unlike Committed it is as of now. It waits for the cluster while that can help, until
// ctx ends.
func (a Assignment) Noted(ctx context.Context) (offset int64, note string, err error) {
	if a.generation == nil {
		return -1, "", ErrClosed
	}
	err = a.client.Retry(ctx, func() error {
		offset, note = -1, ""
		res, err := a.client.kafka.OffsetFetch(ctx, &kafka.OffsetFetchRequest{
			GroupID: a.generation.GroupID, Topics: map[string][]int{a.Topic: {a.Partition}},
		})
		if err != nil {
			return err
		}
		for _, p := range res.Topics[a.Topic] {
			if p.Error != nil {
				return p.Error
			}
			offset, note = max(p.CommittedOffset, -1), p.Metadata
		}
		return res.Error
	})
	if err != nil {
		return -1, "", fmt.Errorf("ask for what group %s committed of %s/%d: %w", a.generation.GroupID, a.Topic, a.Partition, err)
	}
	return offset, note, nil
}
