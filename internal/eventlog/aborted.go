package eventlog

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// abortedBatches tells which batches of a fetch belong to transactions that were
// aborted, of which the broker lists those that the fetch touches. A nil one has none.
type abortedBatches struct {
	next []kmsg.FetchResponseTopicPartitionAbortedTransaction // those that begin above, ascending
	open map[int64]bool                                       // producers
}

func newAbortedBatches(all []kmsg.FetchResponseTopicPartitionAbortedTransaction) *abortedBatches {
	slices.SortFunc(all, func(a, b kmsg.FetchResponseTopicPartitionAbortedTransaction) int {
		return cmp.Compare(a.FirstOffset, b.FirstOffset)
	})
	return &abortedBatches{next: all, open: map[int64]bool{}}
}

// has reports whether a batch belongs to one of them. Batches are given in order, with
// the offset at which they end.
func (a *abortedBatches) has(batch []byte, end int64) bool {
	if a == nil {
		return false
	}
	for len(a.next) > 0 && a.next[0].FirstOffset < end {
		a.open[a.next[0].ProducerID] = true
		a.next = a.next[1:]
	}
	attributes, producer := binary.BigEndian.Uint16(batch[atAttributes:]), int64(binary.BigEndian.Uint64(batch[atProducerID:]))
	if attributes&controlBatch != 0 { // the transaction ends
		delete(a.open, producer)
		return false
	}
	return attributes&transactional != 0 && a.open[producer]
}
