package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	overloaders  = 200
	overloadTime = 20 * time.Second
	halls        = 10 // in one partition
	mostRecovery = 10 * time.Second
	calmFor      = 3 * time.Second
)

// overload has members of ten halls of one partition send as much as they may,
// which is far more than the machine can deliver to all of them, and measures
// how long the rooms are slow once it is over.
func (b *bench) overload(ctx context.Context, c *crowd, alone *measured) error {
	names, partition, err := c.hallsTogether(ctx)
	if err != nil {
		return err
	}
	c.busy.Store(int64(partition))
	before := b.tallies(ctx)
	told := make(chan string, 2) // by those who send
	sending, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		defer close(told) // when they have failed, too
		b.send(sending, c, orders{Many: overloaders, Halls: names, Time: overloadTime}, func(line string) { told <- line })
	}()
	<-told // they have begun
	used, handed, begin := b.cpu(), b.handed(ctx), time.Now()
	m := c.during(func() { <-told })
	took := time.Since(begin)
	b.row(fmt.Sprintf("overload: %d clients send 100 messages/s each into %d channels of all of them, %v", overloaders, halls, overloadTime),
		"delivery in rooms of other partitions p50 %.1f ms, p99 %.0f ms; of the same partition p50 %.1f ms, p99 %.0f ms; 99 of 100 messages of all partitions were handed to the sockets within %s; %.2f cores, everything but the clients",
		ms(quantile(m.ages, .5)), ms(quantile(m.ages, .99)), ms(quantile(m.busy, .5)), ms(quantile(m.busy, .99)), handedWithin(handed, b.handed(ctx)), (b.cpu()-used).Seconds()/took.Seconds())
	calm := 2 * max(quantile(alone.ages, .99), 5*time.Millisecond)
	recovery := c.recovery(ctx, calm)
	b.row("what they were met with", "%s", difference(before, b.tallies(ctx)))
	b.goal(recovery <= mostRecovery, fmt.Sprintf("after the overload, until p99 of every second is below %.0f ms", ms(calm)), "%v (goal ≤ %v)", recovery, mostRecovery)
	return ctx.Err()
}

// hallsTogether finds names of halls that are in one partition.
func (c *crowd) hallsTogether(ctx context.Context) (names []string, partition int, err error) {
	in := map[int][]string{}
	for i := 0; ; i++ {
		name := fmt.Sprint("hall-", i)
		r, p, err := c.joinAtLast(ctx, "127.3.0.1", fmt.Sprint("prober", i), name)
		if err != nil {
			return nil, 0, err
		}
		_ = r.conn.Close()
		if in[p] = append(in[p], name); len(in[p]) == halls {
			return in[p], p, nil
		}
		if pause(ctx, 25*time.Millisecond); ctx.Err() != nil { // as many as one address may open
			return nil, 0, ctx.Err()
		}
	}
}

// overload is what the process of those who send does. They read on until it is
// ended.
func (c *crowd) overload(ctx context.Context, o orders) error {
	members, err := c.fillHalls(ctx, o.Many, o.Halls)
	if err != nil {
		return err
	}
	fmt.Println("begun")
	c.overloaded(ctx, members, o.Halls, o.Time)
	fmt.Println("over")
	<-ctx.Done()
	return nil
}

func (c *crowd) fillHalls(ctx context.Context, many int, names []string) (members []*raw, err error) {
	for i := range many {
		r, _, err := c.joinAtLast(ctx, fmt.Sprint("127.3.1.", 1+i%20), fmt.Sprint("loud", i), names[0])
		for _, name := range names[1:] {
			if err == nil {
				_, err = r.call(join(name, 0))
			}
		}
		if err != nil {
			return nil, err
		}
		members = append(members, r)
		time.Sleep(5 * time.Millisecond)
	}
	return members, nil
}

// overloaded has them send for a while, and read all of it.
func (c *crowd) overloaded(ctx context.Context, members []*raw, names []string, d time.Duration) {
	ctx, stop := context.WithTimeout(ctx, d)
	defer stop()
	body := strings.Repeat("x", 1000)
	var all sync.WaitGroup
	for i, r := range members {
		go drain(r)
		all.Go(func() {
			pause(ctx, time.Duration(i)*time.Millisecond)
			n := i
			pace(100, 1<<30, func() bool {
				n++
				text := fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":"chat","params":{"channel":%q,"body":"%s"}}`, names[n%halls], body)
				if ctx.Err() != nil {
					return false
				}
				_ = r.conn.SetWriteDeadline(time.Now().Add(overloadTime))
				return r.send(text) == nil
			})
		})
	}
	<-ctx.Done()
	for _, r := range members { // whoever waits to write does no more
		_ = r.conn.SetWriteDeadline(time.Now())
	}
	all.Wait()
}

// recovery is the time until everything is as fast as it was, and stays so.
func (c *crowd) recovery(ctx context.Context, calm time.Duration) time.Duration {
	begin := time.Now()
	since := begin // when it was slow last
	for time.Since(since) < calmFor && time.Since(begin) < time.Minute && ctx.Err() == nil {
		m := c.during(func() { pause(ctx, time.Second) })
		all := slices.Concat(m.ages, m.busy)
		if len(all) == 0 || quantile(all, .99) > calm {
			since = time.Now()
		}
	}
	return since.Sub(begin).Round(time.Second)
}

// errTooSmall refuses a crowd that fills no room.
var errTooSmall = errors.New("CLIENTS is at least 100")
