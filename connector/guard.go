package connector

import (
	"context"
	"errors"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
)

// guardEvery is how often the log is looked at. A connector writes events and
// reads none, so nothing else would tell it of a topic that was created again
// and is longer than what it wrote.
const guardEvery = 5 * time.Second

// guard sees to it that the log is the one that was opened, until ctx ends.
func (inc *incarnation) guard(ctx context.Context) error {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := inc.log.Check(ctx, inc.kafka); otherLog(err) {
			return err
		}
	}
}

// lostPushes is the error of a push partition that cannot be read on. Whatever
// became of the pushes, the log has all that they said: the incarnation ends,
// and the next one knows it again.
type lostPushes struct{ err error }

func (e *lostPushes) Error() string {
	return "pushes were lost, which sessions recover from: " + e.err.Error()
}

// readError tells pushes that were lost from what concerns the log itself.
func readError(err error) error {
	var cut *eventlog.OffsetError
	if errors.As(err, &cut) || errors.Is(err, eventlog.ErrLogReplaced) {
		return &lostPushes{err}
	}
	return err
}
