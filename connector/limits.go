package connector

import (
	"net"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

const (
	defaultRate  = 100 // requests a second, where clients come from elsewhere
	maxMalformed = 100 // malformed frames within floodWindow
	floodWindow  = 10 * time.Second
)

// withDefaults fills in the limits that are not set. A negative rate is none;
// so is the default for clients of this machine alone.
func withDefaults(l rpc.Limits, listen net.Addr) rpc.Limits {
	local, _ := listen.(*net.TCPAddr)
	switch {
	case l.Rate < 0, l.Rate == 0 && local != nil && local.IP.IsLoopback():
		l.Rate = 0
	case l.Rate == 0:
		l.Rate = defaultRate
	}
	set := func(v *int, otherwise int) {
		if *v == 0 {
			*v = otherwise
		}
	}
	set(&l.Body, 4096)
	set(&l.Frame, 64<<10)
	set(&l.Channels, 128)
	set(&l.Recover, 300)
	set(&l.Pipeline, 1000)
	set(&l.Presence, 1000)
	set(&l.Queue, 4<<20)
	return l
}

// flood counts what should be rare. Owned by one goroutine.
type flood struct {
	since time.Time
	n     int
}

// exceeds counts one more and reports whether there were more than most within
// the window.
func (f *flood) exceeds(most int) bool {
	if now := time.Now(); now.Sub(f.since) > floodWindow {
		f.since, f.n = now, 0
	}
	f.n++
	return f.n > most
}

// bucket limits requests to a rate, with a second's worth of burst. Owned by
// one goroutine.
type bucket struct {
	rate   float64 // a second; 0: no limit
	tokens float64
	last   time.Time
}

func (b *bucket) take() bool {
	if b.rate == 0 {
		return true
	}
	now := time.Now()
	b.tokens = min(b.rate, b.tokens+now.Sub(b.last).Seconds()*b.rate)
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

// retry is the time until the next token, in milliseconds.
func (b *bucket) retry() int64 {
	return int64((1-b.tokens)/b.rate*1000) + 1
}
