package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const megabyte = 1e6

// growConnections: what connections take that have joined a channel of ten and do
// nothing, as many as descriptors allow.
func growConnections(ctx context.Context, binary string, c *curve) error {
	const each, whole, cores = "each", "all", "cores"
	c.Title, c.X = "Idle connections, each in a channel of ten", axis{"connections", false}
	c.Panels = []panel{{axis{"MB in the main process, for what is beyond the first 500", false}, []string{whole}}, {axis{"kB each in the main process", false}, []string{each}}, {axis{"cores of all processes", false}, []string{cores}}}
	b, stop, err := serve(ctx, binary, idle)
	if err != nil {
		return err
	}
	defer stop()
	var all []*raw
	defer func() { closeAll(all) }()
	before := int64(0)
	most, err := b.atMost(ctx, 20_000)
	if err != nil {
		return err
	}
	most -= idleWarm
	for _, n := range []int{0, 1_000, 2_000, 4_000, 8_000, 12_000, 16_000, 20_000} {
		n = min(n, most)
		if idleWarm+n <= len(all) {
			break
		}
		more, err := b.comeIdle(ctx, len(all), idleWarm+n)
		all = append(all, more...)
		if err != nil {
			return err
		}
		pause(ctx, idleRest/2) // until all is done that their coming has brought
		used := b.cpu()
		pause(ctx, idleRest/2)
		used = b.cpu() - used
		taken := float64(anonymous(b.pid))
		if n == 0 {
			before = int64(taken)
			continue
		}
		taken -= float64(before)
		c.add(float64(n), map[string]float64{whole: round(taken / megabyte), each: round(taken / float64(n) / 1000), cores: round(used.Seconds() / (idleRest / 2).Seconds())})
	}
	return ctx.Err()
}

const (
	placers    = 1_000 // sessions that have all memberships
	placesOf   = 10    // members of a channel
	placesAway = 5     // joins of a session that are under way: more of them wait longer than a join may
)

// places are memberships of sessions that are in many channels each.
type places struct {
	all     []*placer
	have    int
	trouble atomic.Pointer[string] // the first refusal, or a connection that ended
}

type placer struct {
	r     *raw
	slots chan struct{}
}

func (p *places) open(addr string) error {
	for i := range placers {
		r, err := dialRaw(addr, fmt.Sprint("placer", i))
		if err != nil {
			return err
		}
		one := &placer{r, make(chan struct{}, placesAway)}
		p.all = append(p.all, one)
		go p.follow(one)
	}
	return nil
}

func (p *places) follow(one *placer) {
	for {
		frame, err := one.r.next()
		switch {
		case err != nil:
			p.fail(err.Error())
			return
		case !bytes.Contains(frame[:min(len(frame), 40)], []byte(`"id":1,`)):
		case bytes.Contains(frame[:min(len(frame), 60)], []byte(`"error":`)):
			p.fail(string(frame))
			return
		default:
			<-one.slots
		}
	}
}

func (p *places) fail(why string) { p.trouble.CompareAndSwap(nil, &why) }

func (p *places) close() {
	for _, one := range p.all {
		_ = one.r.conn.Close()
	}
}

// raise has the sessions join until there are n memberships.
func (p *places) raise(ctx context.Context, n int) error {
	var work sync.WaitGroup
	for i, one := range p.all {
		work.Go(func() {
			for place := p.have + i; place < n && p.take(ctx, one); place += placers {
				_ = one.r.send(join(fmt.Sprint("place-", place/placesOf), 0)) // who follows sees the end
			}
			for range cap(one.slots) { // until all are answered
				if !p.take(ctx, one) {
					return
				}
			}
			for range cap(one.slots) {
				<-one.slots
			}
		})
	}
	work.Wait()
	p.have = n
	if why := p.trouble.Load(); why != nil {
		return errors.New(*why)
	}
	return ctx.Err()
}

// take waits for a slot of a session; false: there will be none.
func (p *places) take(ctx context.Context, one *placer) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for p.trouble.Load() == nil && ctx.Err() == nil {
		select {
		case one.slots <- struct{}{}:
			return true
		case <-tick.C:
		}
	}
	return false
}

// withPlaces starts a fleet whose sessions may be in many channels.
func withPlaces(ctx context.Context, binary string, do func(*fleet, *places) error) error {
	return withFleet(ctx, &fleet{binary: binary, flags: []string{"--max-channels", "2000"}}, 1, func(f *fleet) error {
		p := &places{}
		defer p.close()
		if err := p.open(f.addrs[0]); err != nil {
			return err
		}
		return do(f, p)
	})
}

// growMemberships: what memberships take, by role.
func growMemberships(ctx context.Context, binary string, c *curve) error {
	roles := []string{"connector", "chatworker", "broker"}
	c.Title, c.X = "Memberships in channels of ten, of 1,000 sessions on one connector", axis{"memberships", true}
	c.Panels = []panel{{axis{"MB of a process", true}, roles}, {axis{"seconds for these joins, since the point before", true}, []string{"seconds"}}}
	return withPlaces(ctx, binary, func(f *fleet, p *places) error {
		for _, n := range []int{1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000} {
			begin := time.Now()
			if err := p.raise(ctx, n); err != nil {
				return err
			}
			values := map[string]float64{"seconds": round(time.Since(begin).Seconds())}
			pause(ctx, idleRest/2)
			for _, role := range roles {
				values[role] = round(float64(anonymous(f.pids(role)[0])) / megabyte)
			}
			c.add(float64(n), values)
		}
		return ctx.Err()
	})
}

// growTakeover: how long messages wait when the only worker is replaced, by how many
// memberships it has.
func growTakeover(ctx context.Context, binary string, c *curve) error {
	const stopped, killed = "stopped in order", "killed"
	c.Title, c.X = "The only worker ends, and another one is started at once", axis{"memberships", true}
	c.Panels = []panel{{axis{"seconds that the slowest message took, in 24 channels", true}, []string{killed, stopped}}}
	return withPlaces(ctx, binary, func(f *fleet, p *places) error {
		probe, err := openProbe(f.addrs[0])
		if err != nil {
			return err
		}
		defer probe.close()
		for _, n := range []int{10_000, 30_000, 100_000, 300_000, 1_000_000} {
			if err := p.raise(ctx, n); err != nil {
				return err
			}
			values := map[string]float64{}
			for _, way := range []struct {
				name   string
				signal syscall.Signal
			}{{stopped, syscall.SIGTERM}, {killed, syscall.SIGKILL}} {
				pause(ctx, 5*time.Second) // for what is kept of the state to be as new as it mostly is
				slowest, err := probe.during(ctx, func() error { return f.replace("chatworker", way.signal) })
				if err != nil {
					return err
				}
				values[way.name] = round(slowest.Seconds())
			}
			c.add(float64(n), values)
		}
		return ctx.Err()
	})
}
