package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

const (
	idleRoom  = 10  // members of a channel
	idleComes = 500 // connections a second
	idleWarm  = 500 // connections that come first, and are not counted
	idleMost  = 20_000
	idleRest  = 20 * time.Second
)

// idle measures what connections take in the server's own process, without ClickHouse,
// when all have joined a channel and nobody says anything.
func (b *bench) idle(ctx context.Context) error {
	var all []*raw
	defer func() {
		for _, r := range all {
			_ = r.conn.Close()
		}
	}()
	most, err := b.atMost(ctx, idleWarm+idleMost)
	if err != nil {
		return err
	}
	before := int64(0)
	for _, n := range []int{0, 5_000, idleMost} {
		if n = min(n, most-idleWarm); idleWarm+n <= len(all) && n > 0 {
			break
		}
		came := time.Now()
		cpu := processCPU(b.pid)
		joined, err := b.comeIdle(ctx, len(all), idleWarm+n)
		all = append(all, joined...)
		if err != nil {
			return err
		}
		took := time.Since(came)
		pause(ctx, idleRest)
		taken := anonymous(b.pid)
		if n == 0 {
			before = taken
			continue
		}
		b.row(fmt.Sprintf("%d idle connections, each joined to a channel of %d", n, idleRoom),
			"%.1f kB each in the main process; %.1f s to come, and %.2f CPU-seconds of it with the rest", float64(taken-before)/float64(n)/1000, took.Seconds(), (processCPU(b.pid) - cpu).Seconds())
	}
	return ctx.Err()
}

// comeIdle opens connections number from up to to, which answer pings.
func (b *bench) comeIdle(ctx context.Context, from, to int) ([]*raw, error) {
	all, errs, next := make([]*raw, to-from), make([]error, to-from), 0
	var work sync.WaitGroup
	slots := make(chan struct{}, 64)
	pace(idleComes, to-from, func() bool {
		i := next
		next++
		slots <- struct{}{}
		work.Go(func() {
			all[i], errs[i] = b.comeOne(from + i)
			<-slots
		})
		return ctx.Err() == nil
	})
	work.Wait()
	return slices.DeleteFunc(all, func(r *raw) bool { return r == nil }), errors.Join(errs...)
}

func (b *bench) comeOne(i int) (*raw, error) {
	r, err := dialFrom(fmt.Sprint("127.1.0.", 1+i%crowdAddresses), b.addr)
	if err != nil {
		return nil, err
	}
	_, err = r.call(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"idle%d"}}`, i))
	if err == nil {
		_, err = r.call(join(fmt.Sprint("idle-", i/idleRoom), 50))
	}
	go drain(r)
	return r, err
}
