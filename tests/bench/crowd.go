package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

const (
	crowdRoom      = 20  // members of a room
	crowdRate      = 100 // messages a second in all rooms together
	crowdAddresses = 40
	crowdComes     = 400 // connections a second, below what a connector takes
)

// crowd is everybody who means well: members of rooms who read all of it and
// now and then say something.
type crowd struct {
	addr    string
	tokens  *issuer
	peers   []*peer
	measure atomic.Pointer[measured] // what is being measured; nil: nothing
	thrown  atomic.Int64             // connections that ended, but for the end of all
	why     atomic.Pointer[string]   // one of these
	busy    atomic.Int64             // the partition that is overloaded; -1: none
}

type peer struct {
	n         int
	partition int // of their room
	conn      atomic.Pointer[raw]
}

func (p *peer) user() string  { return fmt.Sprint("peer", p.n) }
func (p *peer) room() string  { return fmt.Sprint("room-", p.n/crowdRoom) }
func (p *peer) local() string { return fmt.Sprint("127.1.0.", 1+p.n%crowdAddresses) }

// measured is what the crowd noticed in a phase.
type measured struct {
	mu       sync.Mutex
	ages     []time.Duration // of messages that were received
	busy     []time.Duration // of those in the partition that is overloaded
	arrivals []time.Duration // what newcomers took from dialling to their join's result
	refused  int             // newcomers who were told to come back
}

// enter has everybody come, a few hundred a second.
func (c *crowd) enter(ctx context.Context, size int) error {
	errs := make(chan error, size)
	slots := make(chan struct{}, 100)
	pace(crowdComes, size, func() bool {
		p := &peer{n: len(c.peers)}
		c.peers = append(c.peers, p)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots }()
			err := c.come(ctx, p)
			if err == nil { // who waits for the others would answer no ping
				go c.stay(ctx, p)
			}
			errs <- err
		}()
		return ctx.Err() == nil
	})
	for range c.peers {
		if err := <-errs; err != nil {
			return err
		}
	}
	return ctx.Err()
}

// come brings a peer into their room.
func (c *crowd) come(ctx context.Context, p *peer) error {
	r, partition, err := c.joinAtLast(ctx, p.local(), p.user(), p.room())
	if err != nil {
		return err
	}
	p.partition = partition
	p.conn.Store(r)
	context.AfterFunc(ctx, func() { _ = r.conn.Close() })
	return nil
}

// joinAtLast is join, however often they are told to come back or thrown out
// again, for two minutes or until ctx ends.
func (c *crowd) joinAtLast(ctx context.Context, local, user, channel string) (r *raw, partition int, err error) {
	for begin := time.Now(); ; {
		if r, partition, err = c.join(local, user, channel); err == nil || time.Since(begin) > 2*time.Minute {
			return r, partition, err
		}
		if pause(ctx, time.Second+rand.N(2*time.Second)); ctx.Err() != nil {
			return nil, 0, errors.Join(ctx.Err(), err)
		}
	}
}

// join connects a user, says hello and joins a channel.
func (c *crowd) join(local, user, channel string) (r *raw, partition int, err error) {
	if r, err = dialFrom(local, c.addr); err != nil {
		return nil, 0, err
	}
	hello, err := c.tokens.hello(user)
	if err == nil {
		_, err = r.call(hello)
	}
	var answer []byte
	if err == nil {
		answer, err = r.call(join(channel, 50))
	}
	if err != nil {
		_ = r.conn.Close()
		return nil, 0, fmt.Errorf("%s: %w", user, err)
	}
	if _, rest, found := bytes.Cut(answer, []byte(`"partition":`)); found {
		_, _ = fmt.Sscan(string(rest[:min(len(rest), 8)]), &partition)
	}
	return r, partition, nil
}

// stay reads until the end, and comes back when it is thrown out.
func (c *crowd) stay(ctx context.Context, p *peer) {
	for ctx.Err() == nil {
		err := c.read(p)
		if ctx.Err() != nil {
			return
		}
		text := fmt.Sprintf("%s: %v", p.user(), err)
		c.thrown.Add(1)
		c.why.Store(&text)
		pause(ctx, rand.N(2*time.Second))
		for c.come(ctx, p) != nil && ctx.Err() == nil {
			continue
		}
	}
}

func (c *crowd) read(p *peer) error {
	r := p.conn.Load()
	for {
		frame, err := r.next()
		if err != nil {
			_ = r.conn.Close()
			return err
		}
		d, ok := jsonRPC.age(frame)
		m := c.measure.Load()
		if !ok || m == nil {
			continue
		}
		m.mu.Lock()
		if p.partition == int(c.busy.Load()) {
			m.busy = append(m.busy, d)
		} else {
			m.ages = append(m.ages, d)
		}
		m.mu.Unlock()
	}
}

// talk has one after the other say something, until ctx ends.
func (c *crowd) talk(ctx context.Context) {
	next := 0
	pace(crowdRate, 1<<30, func() bool {
		p := c.peers[next%len(c.peers)]
		next += crowdRoom + 1 // another room, another member
		_ = p.conn.Load().send(stampedChat(p.room(), bodySize))
		return ctx.Err() == nil
	})
}

// newcomers come and go, five a second, until ctx ends.
func (c *crowd) newcomers(ctx context.Context) {
	next := 0
	var all sync.WaitGroup
	defer all.Wait()
	pace(5, 1<<30, func() bool {
		next++
		user, room, local := fmt.Sprint("new", next), fmt.Sprint("room-", next%max(1, len(c.peers)/crowdRoom)), fmt.Sprint("127.1.1.", 1+next%100)
		all.Go(func() { c.newcomer(ctx, local, user, room) })
		return ctx.Err() == nil
	})
}

func (c *crowd) newcomer(ctx context.Context, local, user, room string) {
	for begin := time.Now(); ctx.Err() == nil; pause(ctx, time.Second) {
		r, _, err := c.join(local, user, room)
		m := c.measure.Load()
		if m != nil {
			m.mu.Lock()
			if err != nil {
				m.refused++
			} else {
				m.arrivals = append(m.arrivals, time.Since(begin))
			}
			m.mu.Unlock()
		}
		if err == nil {
			_ = r.conn.Close()
			return
		}
	}
}

// during measures while something runs.
func (c *crowd) during(do func()) *measured {
	m := &measured{}
	c.measure.Store(m)
	do()
	c.measure.Store(nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	return &measured{ages: m.ages, busy: m.busy, arrivals: m.arrivals, refused: m.refused}
}
