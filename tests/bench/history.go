package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	readTimes  = 30  // of each kind
	readAtOnce = 100 // joins
	rowsBehind = 1_000_000
	archived   = "archive" // the channel that has it

	shortest     = 10_000 // history, in messages
	usualLongest = 10_000_000
)

// growHistory: joins of a channel where nobody is, and pages of its history, by its
// length.
func growHistory(ctx context.Context, binary string, c *curve) error {
	const joins, slow, pages, half, all = "a join, p50", "a join, p99", "a page, p50", "half of them", "all of them"
	c.Title, c.X = "History of a channel: joins and pages of 50 messages", axis{"messages in the channel", true}
	c.Panels = []panel{{axis{"ms, one at a time", true}, []string{joins, slow, pages}}, {axis{"ms until answered, 100 joins at once", true}, []string{half, all}}}
	if !isStep(c.longest) {
		return fmt.Errorf("--longest is %d; want %d times a power of ten", c.longest, shortest)
	}
	return withFleet(ctx, &fleet{binary: binary}, 1, func(f *fleet) error {
		b := &bench{addr: f.addrs[0]}
		for n, have := shortest, 0; n <= c.longest; n *= 10 {
			if err := f.addPast(ctx, archived, have, n-have); err != nil {
				return err
			}
			have = n
			if err := b.awaitStream(ctx); err != nil {
				return err
			}
			joined, paged, err := b.readOneByOne(n)
			if err != nil {
				return err
			}
			together, err := b.joinTogether()
			if err != nil {
				return err
			}
			c.add(float64(n), map[string]float64{
				joins: round(ms(quantile(joined, .5))), slow: round(ms(quantile(joined, .99))), pages: round(ms(quantile(paged, .5))),
				half: round(ms(quantile(together, .5))), all: round(ms(quantile(together, 1))),
			})
		}
		return ctx.Err()
	})
}

// isStep reports whether a history of n messages is measured on the way to longer ones.
func isStep(n int) bool {
	for n > shortest && n%10 == 0 {
		n /= 10
	}
	return n == shortest
}

// awaitStream waits until the worker has passed what is in the log of the channel: before
// that a join is answered with 1007.
func (b *bench) awaitStream(ctx context.Context) error {
	r, err := dialRaw(b.addr, "first")
	if err != nil {
		return err
	}
	defer r.conn.Close()
	for _, err = r.call(join(archived, 0)); err != nil && strings.Contains(err.Error(), `"code":1007`) && ctx.Err() == nil; _, err = r.call(join(archived, 0)) {
		pause(ctx, time.Second)
	}
	if err == nil {
		_, err = r.call(leave(archived))
	}
	return err
}

var labelled = `(?m)^%s(?:\{[^}]*\})? ([0-9.e+-]+)$`

// total adds up a metric over its labels.
func total(page, name string) (sum float64) {
	for _, m := range regexp.MustCompile(fmt.Sprintf(labelled, name)).FindAllStringSubmatch(page, -1) {
		v, _ := strconv.ParseFloat(m[1], 64) // of digits
		sum += v
	}
	return sum
}

// awaitProjected waits until ClickHouse has everything that is in the log: no lag, and
// nothing read that is not written.
func (b *bench) awaitProjected(ctx context.Context, metrics func(context.Context) string) error {
	for quiet := 0; quiet < 5; pause(ctx, 200*time.Millisecond) {
		page := metrics(ctx)
		if page == "" || total(page, "parley_projector_lag") > 0 || total(page, "parley_projector_lag_age_seconds") > 0 {
			quiet = -1
		}
		quiet++
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// readOneByOne joins, reads a page anywhere in a history of n messages, and leaves.
func (b *bench) readOneByOne(n int) (joins, pages []time.Duration, err error) {
	r, err := dialRaw(b.addr, "reader")
	if err != nil {
		return nil, nil, err
	}
	defer r.conn.Close()
	for range readTimes {
		for _, read := range []struct {
			times   *[]time.Duration
			request string
		}{
			{&joins, join(archived, 50)},
			{&pages, fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"history","params":{"channel":%q,"before":%d,"limit":50}}`, archived, n/20+rand.N(n-n/20))},
			{nil, leave(archived)},
		} {
			begin := time.Now()
			answer, err := r.call(read.request)
			if err == nil && read.times != nil {
				err = isWhole(answer)
			}
			if err != nil {
				return nil, nil, err
			}
			if read.times != nil {
				*read.times = append(*read.times, time.Since(begin))
			}
		}
	}
	return joins, pages, nil
}

// isWhole refuses an answer that has not all of 50 messages.
func isWhole(answer []byte) error {
	if n := bytes.Count(answer, []byte(`"body":`)); n != 50 || bytes.Contains(answer, []byte(`"degraded"`)) {
		return fmt.Errorf("an answer holds %d messages: %.300s", n, answer)
	}
	return nil
}

// joinTogether has many who are connected join at once.
func (b *bench) joinTogether() ([]time.Duration, error) {
	all := make([]*raw, readAtOnce)
	defer closeAll(all)
	for i := range all {
		var err error
		if all[i], err = dialRaw(b.addr, fmt.Sprint("together", i)); err != nil {
			return nil, err
		}
	}
	took, errs := make([]time.Duration, readAtOnce), make([]error, 2*readAtOnce)
	var work sync.WaitGroup
	begin := time.Now()
	for i, r := range all {
		work.Go(func() {
			var answer []byte
			answer, errs[i] = r.call(join(archived, 50))
			took[i] = time.Since(begin)
			if errs[i] == nil {
				errs[i] = isWhole(answer)
			}
		})
	}
	work.Wait()
	for i, r := range all { // nobody may be there when the next one joins
		work.Go(func() { _, errs[readAtOnce+i] = r.call(leave(archived)) })
	}
	work.Wait()
	return took, errors.Join(errs...)
}

// growProjector: how a projector catches up with messages that came while none ran.
func growProjector(ctx context.Context, binary string, c *curve) error {
	const missing, rows = "messages", "rows"
	c.Title, c.X = "A projector catches up with a million messages of 128 bytes", axis{"seconds since it was started", false}
	c.Panels = []panel{{axis{"messages that are not in ClickHouse yet", false}, []string{missing}}, {axis{"rows written a second, in the last one", false}, []string{rows}}}
	return withFleet(ctx, &fleet{binary: binary}, 1, func(f *fleet) error { return f.catchUp(ctx, c, missing, rows) })
}

func (f *fleet) catchUp(ctx context.Context, c *curve, missing, rows string) error {
	if err := f.newest("projector").end(syscall.SIGTERM); err != nil { // it has prepared the tables
		return err
	}
	b := &bench{addr: f.addrs[0]}
	for i := range searchedChannels { // in all partitions
		if err := b.fillOne("filler", fmt.Sprint("behind-", i), rowsBehind/searchedChannels, 500); err != nil {
			return err
		}
	}
	begin := time.Now()
	projector, err := f.launch(append([]string{"projector"}, f.stored...)...)
	if err != nil {
		return err
	}
	written := []float64{0}
	for written[len(written)-1] < rowsBehind && ctx.Err() == nil {
		pause(ctx, time.Until(begin.Add(time.Duration(len(written))*time.Second/4)))
		n := total(fetch(ctx, "http://"+projector.admin+"/metrics"), "parley_projector_rows_total")
		written = append(written, n)
		c.add(float64(len(written)-1)/4, map[string]float64{missing: max(0, rowsBehind-n), rows: round(n - written[max(0, len(written)-5)])})
	}
	return ctx.Err()
}
