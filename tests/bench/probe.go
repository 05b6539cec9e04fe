package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

const (
	probed    = 24  // channels, so that nearly all of 12 partitions have one
	probeRate = 240 // messages a second in all of them
)

// probe is a member of some channels who sends, and one who receives.
type probe struct {
	sender, receiver *raw
	sent, received   atomic.Int64
	slowest          atomic.Int64 // of those received, in nanoseconds
}

func openProbe(addr string) (*probe, error) {
	p := &probe{}
	for who, r := range map[string]**raw{"sender": &p.sender, "receiver": &p.receiver} {
		var err error
		if *r, err = enterAll(addr, "probe-"+who, probedChannels()); err != nil {
			return nil, err
		}
	}
	go drain(p.sender)
	go p.follow()
	return p, nil
}

func probedChannels() (names []string) {
	for i := range probed {
		names = append(names, fmt.Sprint("probe-", i))
	}
	return names
}

func (p *probe) close() {
	_ = p.sender.conn.Close()
	_ = p.receiver.conn.Close()
}

func (p *probe) follow() {
	for {
		frame, err := p.receiver.next()
		if err != nil {
			return
		}
		if age, ok := jsonRPC.age(frame); ok {
			p.slowest.Store(max(p.slowest.Load(), int64(age)))
			p.received.Add(1)
		}
	}
}

// during sends all the while, until everything has arrived, and returns how long the
// slowest message took.
func (p *probe) during(ctx context.Context, do func() error) (time.Duration, error) {
	sending, stop := context.WithCancel(ctx)
	defer stop()
	sent := make(chan error, 1)
	p.slowest.Store(0)
	go func() {
		var err error
		pace(probeRate, 1<<30, func() bool {
			if sending.Err() != nil {
				return false
			}
			err = jsonRPC.chat(p.sender, fmt.Sprint("probe-", p.sent.Add(1)%probed))
			return err == nil
		})
		sent <- err
	}()
	if err := do(); err != nil {
		return 0, err
	}
	// Everything that was under way has arrived once what is sent now has.
	for mark := p.sent.Load() + probeRate; p.received.Load() < mark; pause(ctx, 10*time.Millisecond) {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	stop()
	if err := <-sent; err != nil {
		return 0, err
	}
	for begin := time.Now(); p.received.Load() < p.sent.Load(); pause(ctx, 10*time.Millisecond) {
		if time.Since(begin) > 30*time.Second || ctx.Err() != nil {
			return 0, errors.Join(errors.New("messages of the probe are missing"), ctx.Err())
		}
	}
	return time.Duration(p.slowest.Load()), nil
}
