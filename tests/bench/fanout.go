package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// hall is a channel with many members, or several with as many each.
type hall struct {
	wire     wire
	name     string
	each     int                  // members of a channel
	seconds  int                  // for which a rate is kept up
	cpu      func() time.Duration // of all that serves it
	members  []*raw
	speakers []speaker    // who publish, one after the other
	chats    atomic.Int64 // received, by all

	mu   sync.Mutex
	ages []time.Duration // of every fiftieth member
}

// speaker is a member who publishes in a channel.
type speaker struct {
	member  *raw
	channel string
}

// hallSeconds is for how long a rate is kept up.
const hallSeconds = 5

// fanned is what members got at a rate of messages.
type fanned struct {
	rate             int
	perSecond        float64 // deliveries
	p50, p99         time.Duration
	cpu              float64 // seconds per million deliveries
	inTime, complete bool    // p99 is within 250 ms; nothing is missing
}

// openHall has members enter a channel, each by enter. The first ten publish.
func openHall(w wire, channel string, members int, cpu func() time.Duration, enter func(user, channel string) (*raw, error)) (*hall, error) {
	h := &hall{wire: w, name: channel, each: members, seconds: hallSeconds, cpu: cpu}
	for i := range members {
		r, err := enter(fmt.Sprint("m", i), channel)
		if err != nil {
			h.close()
			return nil, err
		}
		h.members = append(h.members, r)
		if i < 10 {
			h.speakers = append(h.speakers, speaker{r, channel})
		}
		go h.follow(r, i%50 == 0)
	}
	time.Sleep(2 * time.Second) // until everybody has received everybody's join
	return h, nil
}

func (h *hall) close() {
	for _, r := range h.members {
		_ = r.conn.Close()
	}
}

func (h *hall) follow(r *raw, timed bool) {
	for {
		frame, err := r.next()
		if err != nil {
			return
		}
		if !h.wire.isChat(frame) {
			continue
		}
		h.chats.Add(1)
		if !timed {
			continue
		}
		if d, ok := h.wire.age(frame); ok {
			h.mu.Lock()
			h.ages = append(h.ages, d)
			h.mu.Unlock()
		}
	}
}

// at has the speakers publish that many messages a second.
func (h *hall) at(ctx context.Context, rate int) fanned {
	h.mu.Lock()
	h.ages = nil
	h.mu.Unlock()
	before, used, begin := h.chats.Load(), h.cpu(), time.Now()
	next := 0
	pace(rate, rate*h.seconds, func() bool {
		next++
		s := h.speakers[next%len(h.speakers)]
		return h.wire.chat(s.member, s.channel) == nil && ctx.Err() == nil
	})
	want := before + int64(rate*h.seconds*h.each)
	for wait := time.Now(); h.chats.Load() < want && time.Since(wait) < 5*time.Second; {
		time.Sleep(time.Millisecond)
	}
	took := time.Since(begin)
	used = h.cpu() - used
	delivered := float64(h.chats.Load() - before)
	h.mu.Lock()
	defer h.mu.Unlock()
	f := fanned{rate: rate, perSecond: delivered / took.Seconds(), p50: quantile(h.ages, .5), p99: quantile(h.ages, .99), cpu: used.Seconds() / delivered * 1e6}
	f.complete = h.chats.Load() >= want
	f.inTime = f.p99 <= 250*time.Millisecond
	fmt.Fprintf(os.Stderr, "%s at %d messages/s: %s\n", h.name, rate, f)
	return f
}

func (f fanned) String() string {
	if f.rate == 0 {
		return "none within 250 ms"
	}
	return fmt.Sprintf("%.0f deliveries/s at %d messages/s: p50 %.1f ms, p99 %.1f ms; %.2f CPU-seconds per million deliveries, everything but the load generator",
		f.perSecond, f.rate, ms(f.p50), ms(f.p99), f.cpu)
}

// highest raises the rate, from one that is given, for as long as everything comes in
// time, and returns what was seen at that and at the last such one.
func (h *hall) highest(ctx context.Context, from ...int) (first, best fanned) {
	for _, rate := range append(from, 80, 250, 500, 750, 1000, 1500, 2000, 2500, 3000, 4000) {
		f := h.at(ctx, rate)
		if first.rate == 0 {
			first = f
		}
		if !f.complete || !f.inTime {
			break
		}
		best = f
	}
	return first, best
}

// fanout: one channel, many members; the highest rate at which p99 stays within
// 250 ms.
func (b *bench) fanout(ctx context.Context, members int) error {
	h, err := openHall(jsonRPC, "hall", members, b.cpu, b.enter)
	if err != nil {
		return err
	}
	defer h.close()
	first, best := h.highest(ctx)
	b.row(fmt.Sprintf("fan-out to %d members at %d messages/s", members, first.rate), "p50 %.1f ms, p99 %.1f ms", ms(first.p50), ms(first.p99))
	b.row(fmt.Sprintf("fan-out to %d members, highest rate with p99 ≤ 250 ms", members), "%s", best)
	return nil
}
