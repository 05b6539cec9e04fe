package chatworker

import (
	"context"
	"time"

	"github.com/parley-chat/parley/chatworker/lease"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// downs declares connectors down in parley.events. Safe for concurrent use.
type downs struct {
	events     *eventlog.Producer
	partitions int
}

func newDowns(w *Worker) *downs {
	return &downs{
		events:     w.client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents}),
		partitions: w.epoch.Partitions,
	}
}

func (d *downs) close() { d.events.Close() }

// everywhere declares connectors down in every partition and waits until all
// of that is acknowledged.
func (d *downs) everywhere(ctx context.Context, deaths []lease.Death) error {
	var entries []entry
	for _, death := range deaths {
		for p := range d.partitions {
			e, err := downEvent(p, death)
			if err != nil {
				return err
			}
			entries = append(entries, e)
		}
	}
	_, err := appendAll(ctx, d.events, entries...)
	return err
}

// orphans declares connectors down where they hold members without a beat, and
// waits until that is acknowledged.
func (d *downs) orphans(ctx context.Context, holdings []lease.Holding) error {
	var entries []entry
	for _, h := range holdings {
		e, err := downEvent(h.Partition, lease.Death{Connector: h.Connector, Reason: schema.Reason_REASON_TIMEOUT})
		if err != nil {
			return err
		}
		entries = append(entries, e)
	}
	_, err := appendAll(ctx, d.events, entries...)
	return err
}

func downEvent(partition int, d lease.Death) (entry, error) {
	return newEntry(partition, "", &schema.Event{
		Time: time.Now().UnixMilli(),
		Kind: &schema.Event_Down{Down: &schema.Down{Connector: d.Connector, Reason: d.Reason}},
	})
}
