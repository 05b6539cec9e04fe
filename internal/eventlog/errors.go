package eventlog

import (
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"
)

var (
	// ErrQueueFull means that a producer holds as many unacknowledged bytes as
	// it may. The record was not taken.
	ErrQueueFull = errors.New("the producer's queue is full: the cluster accepts records more slowly than they are produced")
	// ErrClosed means that the producer or reader was closed.
	ErrClosed = errors.New("closed")
	// ErrFenced means that another producer took the transactional id.
	ErrFenced = errors.New("fenced: a newer producer has taken this transactional id")
	// ErrLogReplaced means that the log is not the one that was written to or
	// read from before: its topic was deleted and created again, or an
	// acknowledged record came to lie below an earlier one.
	ErrLogReplaced = errors.New("the log was replaced: its topic was created again, or it lost its end")
	// ErrRecordTooLarge means that a record cannot fit into a batch.
	ErrRecordTooLarge = errors.New("the record is too large for a batch")
	// ErrBudget means that a range held more bytes than its reader allowed.
	ErrBudget = errors.New("the range is larger than its budget")
	// ErrUnknownTopic means that the cluster has no topic of that name.
	ErrUnknownTopic = errors.New("the cluster has no such topic")
)

// OffsetError means that an offset is outside of what a partition holds.
type OffsetError struct {
	Topic     string
	Partition int
	Offset    int64 // the offset that was asked for
	First     int64 // the lowest offset the partition still holds
	End       int64 // the offset the next record will get
}

func (e *OffsetError) Error() string {
	return fmt.Sprintf("offset %d of %s/%d is out of range: the partition holds [%d, %d)",
		e.Offset, e.Topic, e.Partition, e.First, e.End)
}

// CorruptError means that a stretch of a partition cannot be decoded. The
// reader that returned it continues after the stretch.
type CorruptError struct {
	Topic      string
	Partition  int
	Offset     int64 // where the stretch begins
	NextOffset int64 // where it ends
	Err        error // what is wrong with it
}

func (e *CorruptError) Error() string {
	return fmt.Sprintf("records [%d, %d) of %s/%d are corrupt: %v",
		e.Offset, e.NextOffset, e.Topic, e.Partition, e.Err)
}

func (e *CorruptError) Unwrap() error { return e.Err }

// isPermanent reports whether trying again cannot help. Whatever is not an
// answer of a broker, such as a broken connection, passes.
func isPermanent(err error) bool {
	var no *refusal
	if errors.Is(err, ErrUnknownTopic) || errors.As(err, &no) {
		return true
	}
	var code kafka.Error
	if !errors.As(err, &code) {
		return false
	}
	switch code {
	case kafka.Unknown, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable,
		kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup,
		kafka.RebalanceInProgress, kafka.ConcurrentTransactions, kafka.UnknownMemberId, kafka.IllegalGeneration:
		return false
	}
	return !code.Temporary()
}

// layoutIsStale reports whether a request may have failed because another broker
// leads the partition, or will soon. A connection that fails is such a case.
func layoutIsStale(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return true
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition,
		kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable,
		kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.Unknown:
		return true
	}
	return false
}
