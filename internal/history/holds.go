package history

import (
	"context"

	"github.com/parley-chat/parley/schema"
)

// Holds reports whether the log, this epoch's or an earlier one, has a message
// of a channel. Its errors are those of Read. One that is void counts until it is in
// ClickHouse: the window before the log's newest events is not worth a read here.
func (r *Reader) Holds(ctx context.Context, channel string) (bool, error) {
	_, end, err := r.cfg.Log.Offsets(ctx, schema.TopicEvents, schema.PartitionOf(channel, r.cfg.Epoch.Partitions))
	if err != nil {
		return false, err
	}
	page, err := r.Read(ctx, Query{Channel: channel, Everyone: true, Mode: Newest, Limit: 1, End: end})
	return len(page.Messages) > 0 || page.Older != "", err
}
