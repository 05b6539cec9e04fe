package roles

import (
	"context"
	"errors"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
)

// Own runs serve, which owns a partition, and runs it again after a pause when it was
// fenced although the group still gives the partition to this process: an owner that
// woke up late can do that, once. again is called before. Where it happens again and
// again, someone outside the group is writing: then the error is an
// [eventlog.ErrFenced]. It is nil where ctx ends in a pause, else that of serve.
func Own(ctx context.Context, pause time.Duration, serve func(context.Context) error, again func()) error {
	const attempts = 3
	for n := 1; ; n++ {
		err := serve(ctx)
		if !errors.Is(err, eventlog.ErrFenced) || n == attempts {
			return err
		}
		if !Sleep(ctx, pause) {
			return nil
		}
		again()
	}
}
