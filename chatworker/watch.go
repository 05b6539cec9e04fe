package chatworker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

const (
	// watchEvery is how often the log is checked for deleted events.
	watchEvery = time.Minute
	// topicEvery is how often its topic is looked up: a reader waits for one that
	// is gone, which may come back when a broker starts.
	topicEvery = 5 * time.Second
)

// watch checks that the topics are still there, and whether Kafka deletes
// events, which nothing else would notice before a partition has to be restored.
// Deleted events are only reported: what is served continues.
type watch struct {
	w           *Worker
	cut, unsafe atomic.Int64 // partitions, settings
	controlGone atomic.Bool  // there is no parley.control
}

// run checks until ctx ends. It fails when the log is gone, or parley.control is
// another topic than the one that was read.
func (o *watch) run(ctx context.Context) error {
	tick := time.NewTicker(min(topicEvery, o.w.timing.watch))
	defer tick.Stop()
	var last epoch.Erosion
	var looked time.Time
	for {
		if time.Since(looked) >= o.w.timing.watch {
			looked = time.Now()
			found, err := o.w.epoch.Eroded(ctx, o.w.client)
			if err == nil {
				o.note(last, found)
				last = found
			} else if ctx.Err() == nil && !errors.Is(err, eventlog.ErrUnknownTopic) {
				o.w.log.Warn("cannot check whether Kafka deletes events", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		if refused := o.refusal(ctx); refused != nil {
			return refused
		}
	}
}

// refusal is why the topics must not be served any more, a *epoch.Refused; nil
// for nothing that is known. Of both topics, the one of the events matters more.
func (o *watch) refusal(ctx context.Context) error {
	for _, look := range []func(context.Context) error{o.w.guard, o.lookAtControl} {
		var refused *epoch.Refused
		if err := look(ctx); errors.As(err, &refused) {
			return err
		}
	}
	return nil
}

// lookAtControl reports, with a *epoch.Refused, that parley.control was deleted
// and created again. One that is gone is waited for.
func (o *watch) lookAtControl(ctx context.Context) error {
	info, err := o.w.client.TopicInfo(ctx, schema.TopicControl)
	switch {
	case errors.Is(err, eventlog.ErrUnknownTopic):
		if !o.controlGone.Swap(true) {
			o.w.log.Error(controlGone)
		}
	case err == nil && info.ID != o.w.controlID:
		return epoch.Refuse("topic %s was deleted and created again: start this chat worker again, it reads the new one from its beginning", schema.TopicControl)
	case err == nil:
		o.controlGone.Store(false)
	}
	return err
}

// controlGone is what a worker reports while it waits for parley.control.
const controlGone = "topic " + schema.TopicControl + " is gone, and connectors that crash are not noticed: restart a connector, which creates it again, and then the chat workers"

// lostControl explains that parley.control ends below what was read or written,
// or is another topic.
func (o *watch) lostControl(ctx context.Context, err error) error {
	if refused := o.refusal(ctx); refused != nil {
		return refused
	}
	return epoch.Refuse("%s lost its end (%v): Kafka lost records, or is an older copy of itself; restore it and restart the chat workers, or begin a new epoch with `parley epoch new`", schema.TopicControl, err)
}

// note counts what was found and logs what is new.
func (o *watch) note(last, found epoch.Erosion) {
	o.cut.Store(int64(len(found.Cut)))
	o.unsafe.Store(int64(len(found.Settings)))
	if len(found.Cut) > 0 && !slices.Equal(found.Cut, last.Cut) {
		o.w.log.Error("events were deleted from the log, which is kept for ever: a partition that has to be restored from them is lost; find out who deletes them, and restore the topic or begin a new epoch with `parley epoch new`",
			"partitions", found.Cut)
	}
	if len(found.Settings) > 0 && !slices.Equal(found.Settings, last.Settings) {
		o.w.log.Error("Kafka is set to delete events from the log, which is kept for ever: correct the topic's settings with kafka-configs.sh --alter",
			slog.Any("needed", found.Settings))
	}
	if found.Whole() && !last.Whole() {
		o.w.log.Info("no events are deleted from the log any more")
	}
}
