package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"time"
)

const (
	hostileShare = 100 // one of so many clients is hostile
	mostSlower   = 1.5 // times as slow as without them
	mostGrown    = 1.25
	fills        = 32 << 20 // bytes that what is kept of the newest messages takes
	settle       = 10 * time.Second
	eachAttack   = "each"
)

// hostile has a crowd on one connector, first alone, then with hostile clients
// in it, then alone again, and compares what the crowd notices.
func (b *bench) hostile(ctx context.Context, o options) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	clients, err := b.atMost(ctx, o.clients)
	if err != nil {
		return err
	}
	duration := o.duration
	if clients < 100 {
		return errTooSmall
	}
	bad := cmp.Or(o.hostile, max(len(attacks), clients/hostileShare))
	c := &crowd{addr: b.addr, tokens: b.tokens}
	c.busy.Store(-1)
	begin := time.Now()
	if err := c.enter(ctx, clients-bad); err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d clients with tokens connect and join, %d in a room", clients-bad, crowdRoom), "%.0f s", time.Since(begin).Seconds())
	go c.talk(ctx)
	go c.newcomers(ctx)
	pause(ctx, settle)
	if o.attack == eachAttack {
		b.each(ctx, c, bad, duration)
		return ctx.Err()
	}
	alone := b.phase(ctx, c, fmt.Sprintf("%v without hostile clients", duration), func() { pause(ctx, duration) })
	before, met := b.usage(ctx), b.tallies(ctx)
	with := b.phase(ctx, c, fmt.Sprintf("%v with %d hostile clients", duration, bad), func() { b.attacked(ctx, c, bad, duration, o.attack) })
	after, now := b.usage(ctx), b.tallies(ctx)
	b.row("what they were met with", "%s", difference(met, now))
	pause(ctx, settle)
	last := min(duration, time.Minute)
	b.phase(ctx, c, fmt.Sprintf("%v after they are gone", last), func() { pause(ctx, last) })
	end := b.usage(ctx)
	b.row("memory before, at their end, afterwards", "%s; %s; %s", before, after, end)
	b.compare(c, alone, with, before, end)
	if o.attack != "" {
		return ctx.Err()
	}
	if err := b.overload(ctx, c, alone); err != nil {
		return err
	}
	return ctx.Err()
}

// each has one kind of hostile clients after the other, as many of it as among
// all, and prints what each costs.
func (b *bench) each(ctx context.Context, c *crowd, bad int, d time.Duration) {
	b.phase(ctx, c, fmt.Sprintf("%v without hostile clients", d), func() { pause(ctx, d) })
	for _, a := range attacks {
		before := b.tallies(ctx)
		b.phase(ctx, c, fmt.Sprintf("%v of `%s`", d, a.name), func() { b.attacked(ctx, c, bad, d, a.name) })
		b.row("what they were met with", "%s", difference(before, b.tallies(ctx)))
		pause(ctx, settle)
	}
}

// phase measures what the crowd notices while something runs, and prints it.
func (b *bench) phase(ctx context.Context, c *crowd, name string, do func()) *measured {
	handed := b.handed(ctx)
	process, used, own, hostile, begin := processCPU(b.pid), b.cpu(), processCPU(os.Getpid()), endedCPU(), time.Now()
	m := c.during(do)
	took := time.Since(begin)
	process, used, own, hostile = processCPU(b.pid)-process, b.cpu()-used, processCPU(os.Getpid())-own, endedCPU()-hostile
	all := append(slices.Clone(m.ages), m.busy...)
	b.row(name, "delivery p50 %.2f ms, p99 %.2f ms, p99.9 %.1f ms, %.0f/s, p99 to the sockets within %s; newcomers join in p50 %.1f ms, p99 %.0f ms, told %d times to come back; %.2f cores, ClickHouse %.2f, the clients %.2f, the hostile ones %.2f",
		ms(quantile(all, .5)), ms(quantile(all, .99)), ms(quantile(all, .999)), float64(len(all))/took.Seconds(), handedWithin(handed, b.handed(ctx)),
		ms(quantile(m.arrivals, .5)), ms(quantile(m.arrivals, .99)), m.refused, process.Seconds()/took.Seconds(), (used-process).Seconds()/took.Seconds(), own.Seconds()/took.Seconds(), hostile.Seconds()/took.Seconds())
	return &measured{ages: all, arrivals: m.arrivals, refused: m.refused}
}

// compare prints how the phases differ, and takes note when it is too much.
func (b *bench) compare(c *crowd, alone, with *measured, before, end usage) {
	p99 := quantile(alone.ages, .99)
	slower := float64(quantile(with.ages, .99)) / float64(max(1, p99))
	b.goal(slower <= mostSlower, "p99 of the others, with hostile clients to without", "%.2f (goal ≤ %.1f)", slower, mostSlower)
	thrown, why := c.thrown.Load(), ""
	if text := c.why.Load(); text != nil {
		why = ", such as " + *text
	}
	b.goal(thrown == 0, "others who were thrown out", "%d%s", thrown, why)
	heap := float64(end.heap) / float64(max(1, before.heap))
	b.goal(heap <= mostGrown || end.heap-before.heap < fills, "heap afterwards to before", "%.2f (goal ≤ %.2f, or %d MiB more, which rooms' newest messages take)", heap, mostGrown, fills>>20)
}

// goal is a row, and takes note when it was not reached.
func (b *bench) goal(reached bool, what, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if !reached {
		text += ": NOT REACHED"
		b.failed = cmp.Or(b.failed, what+" is "+text)
	}
	b.row(what, "%s", text)
}

// usage is what the server takes.
type usage struct {
	anonymous  int64 // bytes
	heap       int64 // that live, after the last collection
	goroutines int
}

func (u usage) String() string {
	return fmt.Sprintf("process %d MiB, heap %d MiB, %d goroutines", u.anonymous>>20, u.heap>>20, u.goroutines)
}

// usage waits for a collection, which the runtime makes every two minutes at the
// latest, where it waits at all: the least of some seconds is what remains.
func (b *bench) usage(ctx context.Context) usage {
	u := usage{anonymous: anonymous(b.pid), heap: 1 << 62}
	for range 5 {
		page := b.metrics(ctx)
		// The heap may grow to twice what lived after the last collection.
		u.heap = min(u.heap, int64(number(page, "go_memory_gc_goal_bytes")/2))
		u.goroutines = int(number(page, "go_goroutine_count"))
		pause(ctx, time.Second)
	}
	return u
}

var logged = regexp.MustCompile(`health is served" address=(\S+)`)

// metrics is the page of the server's metrics.
func (b *bench) metrics(ctx context.Context) string {
	if b.admin == "" {
		text, _ := os.ReadFile(b.log)
		if found := logged.FindSubmatch(text); found != nil {
			b.admin = string(found[1])
		}
	}
	return fetch(ctx, "http://"+b.admin+"/metrics")
}
