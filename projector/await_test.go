package projector

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/parley-chat/parley/internal/roles"
)

// waited is what a batch is old when it is due: of so many rows at the beginning, and
// as many more after a while.
func waited(t *testing.T, rows, size int, after time.Duration, more int) (age time.Duration) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p, err := New(Config{Base: roles.Base{}, ClickHouse: "clickhouse://parley@127.0.0.1:9000/default"})
		if err != nil {
			t.Fatal(err)
		}
		in := newInserter(p, nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		due := make(chan error, 1)
		go func() { due <- in.await(ctx) }()
		synctest.Wait() // it waits with nothing
		begin := time.Now()
		first := batchOf(rows, int64(rows))
		first.bytes = max(first.bytes, size)
		if err := in.add(ctx, 0, first); err != nil {
			t.Fatal(err)
		}
		if more > 0 {
			time.Sleep(after)
			if err := in.add(ctx, 0, batchOf(more, int64(rows+more))); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-due; err != nil {
			t.Fatal(err)
		}
		age = time.Since(begin)
	})
	return age
}

// What is worth an insert is written after BatchAge, and what hardly anybody said as
// well; what lies between may get twice as old, until it is worth one.
func TestFewRowsWaitForMore(t *testing.T) {
	const usual, late = 500 * time.Millisecond, 700 * time.Millisecond
	for name, c := range map[string]struct {
		rows, size int
		after      time.Duration
		more       int
		want       time.Duration
	}{
		"one row":                          {1, 0, 0, 0, usual},
		"no rows, a watermark":             {0, 0, 0, 0, usual},
		"hardly any":                       {15, 0, 0, 0, usual},
		"few":                              {16, 0, 0, 0, 2 * usual},
		"few once there are more":          {1, 0, usual / 2, 15, 2 * usual},
		"not worth an insert":              {999, 0, 0, 0, 2 * usual},
		"many":                             {1_000, 0, 0, 0, usual},
		"large":                            {20, 512 << 10, 0, 0, usual},
		"few that become many early":       {500, 0, usual / 2, 500, usual},
		"few that become many late":        {500, 0, late, 500, late},
		"few that become large late":       {500, 512<<10 - 1, late, 1, late},
		"few that become more late":        {500, 0, late, 499, 2 * usual},
		"few that fill the batch at once":  {500, 0, usual / 4, 100_000, usual / 4},
		"hardly any, and more after these": {15, 0, usual - 1, 1, 2 * usual},
	} {
		t.Run(name, func(t *testing.T) {
			if got := waited(t, c.rows, c.size, c.after, c.more); got != c.want {
				t.Errorf("the batch is due after %v, want %v", got, c.want)
			}
		})
	}
}
