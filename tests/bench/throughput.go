package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

const (
	growSeconds  = 2     // for which a rate is kept up
	growSessions = 1_000 // at most, where members are in several channels
	lowLoad      = 20_000
	deliveries   = "deliveries/s"
	cpuAtMost    = "at the highest rate"
	cpuBelow     = "at 20,000 deliveries/s"
	delivering   = "deliveries a second at the highest rate with p99 ≤ 250 ms"
	costing      = "CPU-seconds per million deliveries"
)

// openHalls has sessions enter channels in turns, each of which has as many members, at
// the addresses in turns, and all of them are read from then on.
func openHalls(ctx context.Context, name string, addrs []string, channels, each, sessions int, cpu func() time.Duration) (*hall, error) {
	h := &hall{wire: jsonRPC, name: name, each: each, seconds: growSeconds, cpu: cpu, members: make([]*raw, min(sessions, channels*each))}
	errs := make([]error, len(h.members))
	var work sync.WaitGroup
	for first := range peerAside {
		work.Go(func() {
			for i := first; i < len(h.members) && ctx.Err() == nil; i += peerAside {
				var in []string
				for place := i; place < channels*each; place += len(h.members) {
					in = append(in, fmt.Sprint(name, "-", place/each))
				}
				if h.members[i], errs[i] = enterAll(addrs[i%len(addrs)], fmt.Sprint("m", i), in); errs[i] != nil {
					return
				}
				go h.follow(h.members[i], i%max(1, min(50, len(h.members)/20)) == 0)
			}
		})
	}
	work.Wait()
	if err := errors.Join(append(errs, ctx.Err())...); err != nil {
		h.close()
		return nil, err
	}
	for i := range max(channels, 10) {
		channel := i % channels
		place := channel*each + i/channels%each
		h.speakers = append(h.speakers, speaker{h.members[place%len(h.members)], fmt.Sprint(name, "-", channel)})
	}
	h.settle(ctx)
	return h, nil
}

func enterAll(addr, user string, channels []string) (*raw, error) {
	r, err := dialRaw(addr, user)
	for _, channel := range channels {
		if err == nil {
			_, err = r.call(join(channel, 0))
		}
	}
	return r, err
}

// settle waits until the server is at rest: everybody has heard of everybody's join, and
// of what was sent.
func (h *hall) settle(ctx context.Context) {
	for begin := time.Now(); time.Since(begin) < time.Minute && ctx.Err() == nil; {
		used := h.cpu()
		pause(ctx, time.Second)
		if h.cpu()-used < 200*time.Millisecond {
			return
		}
	}
}

// saturate doubles the rate until messages are late twice in a row, or missing, or halves
// it where the first is too much. Then it tries half as much more than the highest rate
// that was not, and returns the first and that.
func (h *hall) saturate(ctx context.Context, from int) (first, best fanned) {
	late := 0
	for rate := from; late < 2 && ctx.Err() == nil; rate *= 2 {
		f := h.at(ctx, rate)
		if rate == from {
			first, best = f, f
		}
		if !f.complete {
			break
		}
		if late++; f.inTime {
			best, late = f, 0
		}
	}
	for rate := from / 2; !best.inTime && rate > from/20 && ctx.Err() == nil; rate /= 2 {
		h.settle(ctx)
		best = h.at(ctx, rate)
	}
	h.settle(ctx)
	if f := h.at(ctx, best.rate*3/2); f.complete && f.inTime {
		best = f
	}
	return first, best
}

// highestOf adds the point of a server under low load and at its highest rate.
func (c *curve) highestOf(ctx context.Context, x int, h *hall) error {
	first, best := h.saturate(ctx, max(1, lowLoad/h.each))
	values := map[string]float64{cpuBelow: round(first.cpu), deliveries: round(best.perSecond), cpuAtMost: round(best.cpu)}
	if !best.complete || !best.inTime { // no rate was low enough
		delete(values, deliveries)
		delete(values, cpuAtMost)
	}
	c.add(float64(x), values)
	return ctx.Err()
}

func (c *curve) ofThroughput(title, x string) {
	c.Title, c.X = title, axis{x, true}
	c.Panels = []panel{{axis{delivering, true}, []string{deliveries}}, {axis{costing, true}, []string{cpuBelow, cpuAtMost}}}
}

// growMembers: one channel.
func growMembers(ctx context.Context, binary string, c *curve) error {
	c.ofThroughput("Members of one channel", "members")
	b, stop, err := serve(ctx, binary, "")
	if err != nil {
		return err
	}
	defer stop()
	for _, n := range []int{10, 30, 100, 300, 1_000, 3_000, 10_000} {
		h, err := openHalls(ctx, fmt.Sprint("hall", n), []string{b.addr}, 1, n, n, b.cpu)
		if err != nil {
			return err
		}
		err = c.highestOf(ctx, n, h)
		h.close()
		if err != nil {
			return err
		}
		h.settle(ctx)
	}
	return nil
}

// growChannels: channels of ten members, who are in many.
func growChannels(ctx context.Context, binary string, c *curve) error {
	c.ofThroughput("Channels of ten members; 1,000 sessions at most, in up to 100 channels each", "channels")
	b, stop, err := serve(ctx, binary, "")
	if err != nil {
		return err
	}
	defer stop()
	for _, n := range []int{10, 30, 100, 300, 1_000, 3_000, 10_000} {
		h, err := openHalls(ctx, fmt.Sprint("of", n), []string{b.addr}, n, roomMembers, growSessions, b.cpu)
		if err != nil {
			return err
		}
		err = c.highestOf(ctx, n, h)
		h.close()
		if err != nil {
			return err
		}
		h.settle(ctx)
	}
	return nil
}

// growConnectors: 100 channels of ten, whose members are spread over the connectors, all
// roles and servers as processes of their own.
func growConnectors(ctx context.Context, binary string, c *curve) error {
	c.ofThroughput("Connectors on the same two cores; 100 channels of ten members, who are spread over them", "connectors")
	c.X.Log = false
	for _, n := range []int{1, 2, 4} {
		if err := c.onConnectors(ctx, binary, n); err != nil {
			return err
		}
	}
	return nil
}

func (c *curve) onConnectors(ctx context.Context, binary string, n int) error {
	return withFleet(ctx, &fleet{binary: binary}, n, func(f *fleet) error {
		h, err := openHalls(ctx, "room", f.addrs, rooms, roomMembers, growSessions, f.cpu)
		if err != nil {
			return err
		}
		defer h.close()
		return c.highestOf(ctx, n, h)
	})
}

// growRate: 100 channels of ten, up to more than the machine carries.
func growRate(ctx context.Context, binary string, c *curve) error {
	const p50, p99, cores, offered = "p50", "p99", "server", "messages a second"
	c.Title, c.X = "Messages a second into 100 channels of ten members, until it is too much", axis{offered, true}
	c.Panels = []panel{
		{axis{"deliveries a second", true}, []string{deliveries}},
		{axis{"ms from socket to socket", true}, []string{p50, p99}},
		{axis{costing, true}, []string{costing}},
		{axis{"cores", false}, []string{cores}},
	}
	b, stop, err := serve(ctx, binary, "")
	if err != nil {
		return err
	}
	defer stop()
	h, err := openHalls(ctx, "room", []string{b.addr}, rooms, roomMembers, growSessions, b.cpu)
	if err != nil {
		return err
	}
	defer h.close()
	h.seconds = hallSeconds
	for _, rate := range []int{100, 200, 500, 1_000, 2_000, 5_000, 10_000, 15_000, 20_000, 30_000, 40_000, 60_000} {
		used, begin := b.cpu(), time.Now()
		f := h.at(ctx, rate)
		took := time.Since(begin)
		c.add(float64(rate), map[string]float64{
			deliveries: round(f.perSecond), p50: round(ms(f.p50)), p99: round(ms(f.p99)), costing: round(f.cpu),
			cores: round((b.cpu() - used).Seconds() / took.Seconds()),
		})
		if !f.complete || f.perSecond < .8*float64(rate*roomMembers) {
			break
		}
		h.settle(ctx)
	}
	return ctx.Err()
}
