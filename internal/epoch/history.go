package epoch

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// DecodeHistory returns what a record of parley.control holds about ClickHouse;
// nil when it holds nothing.
func DecodeHistory(value []byte) *schema.LogHistory {
	var h schema.LogHistory
	if value == nil || proto.Unmarshal(value, &h) != nil {
		return nil
	}
	return &h
}

// WriteHistory publishes what ClickHouse holds, for the roles that cannot ask it.
func WriteHistory(ctx context.Context, c *eventlog.Client, h *schema.LogHistory) error {
	value, err := proto.Marshal(h)
	if err != nil {
		return err
	}
	if err := write(ctx, c, schema.ControlKeyHistory, value); err != nil {
		return fmt.Errorf("write to %s what ClickHouse holds: %w", schema.TopicControl, err)
	}
	return nil
}

// CheckHistory reports, with a *Refused, when ClickHouse holds events that the
// log does not, or others. An h of another log, or a nil one, is ignored.
func (l Log) CheckHistory(ctx context.Context, c *eventlog.Client, h *schema.LogHistory) error {
	if h == nil || h.Epoch != l.Epoch || string(h.TopicId) != string(l.TopicID[:]) {
		return nil
	}
	missing := make([]int64, len(h.Marks))
	ends := make([]int64, len(h.Marks))
	err := ForEach(ctx, len(h.Marks), func(ctx context.Context, i int) error {
		m := h.Marks[i]
		if int(m.Partition) >= l.Partitions {
			return nil
		}
		first, end, err := c.Offsets(ctx, schema.TopicEvents, int(m.Partition))
		if err != nil {
			return err
		}
		if missing[i], ends[i] = max(0, m.Seq+1-end), end; missing[i] > 0 || m.Seq < first {
			return nil
		}
		return Tail{Partition: int(m.Partition), Offset: m.Seq, Digest: m.Digest}.Check(ctx, c)
	})
	if err != nil {
		return err
	}
	return l.lacks(h.Marks, missing, ends)
}

// named is how many partitions a refusal names.
const named = 3

// lacks is the refusal of a log that lacks what is in ClickHouse.
func (l Log) lacks(marks []*schema.HistoryMark, missing, ends []int64) error {
	var total int64
	var short []int
	for i, n := range missing {
		if total += n; n > 0 {
			short = append(short, i)
		}
	}
	if total == 0 {
		return nil
	}
	slices.SortFunc(short, func(a, b int) int { return cmp.Compare(marks[a].Partition, marks[b].Partition) })
	var where []string
	for _, i := range short[:min(named, len(short))] {
		where = append(where, fmt.Sprintf("partition %d ends at %d and is in ClickHouse up to %d", marks[i].Partition, ends[i], marks[i].Seq))
	}
	if len(short) > named {
		where = append(where, fmt.Sprintf("and %d more", len(short)-named))
	}
	return Refuse("ClickHouse holds %d offsets more than the log of epoch %s (%s): %s is an older copy, or lost its end; restore the newer one, or begin a new epoch with `parley epoch new`",
		total, l.Epoch, strings.Join(where, ", "), schema.TopicEvents)
}
