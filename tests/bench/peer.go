package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	peerTurns = 3
	peerPause = 2 * time.Second // between turns, for what is still queued
	peerComes = 5_000           // connections that come at once
	peerAside = 64              // as many at a time
)

// besidePeer measures Centrifugo's binary in turns with ours, with the same loads: all,
// or the only one that is named.
func (b *bench) besidePeer(ctx context.Context, only string, o options) error {
	peer, stop, err := startCentrifugo(ctx, o.peer, filepath.Dir(b.log))
	if err != nil {
		return err
	}
	defer stop()
	sides := [2]*side{peer, b.own()}
	loads := []struct {
		part, name string
		run        func(context.Context, *side) (figures, error)
	}{
		{"rooms", "rooms: 100 channels × 10 members, 10 messages/s each", func(_ context.Context, s *side) (figures, error) { return s.inRooms(10, 10) }},
		{"rooms", "rooms: 100 channels × 10 members, 50 messages/s each", func(_ context.Context, s *side) (figures, error) { return s.inRooms(50, 5) }},
		{"fanout", fmt.Sprintf("fan-out to %d members at 80 messages/s", o.members), func(ctx context.Context, s *side) (figures, error) { return s.inHall(ctx, o.members, 80) }},
	}
	for _, l := range loads {
		if only != "" && only != l.part {
			continue
		}
		if err := b.inTurns(ctx, l.name, sides, l.run); err != nil {
			return fmt.Errorf("%s: %w", l.part, err)
		}
	}
	if only == "" || only == idle {
		return b.arrivals(ctx, sides)
	}
	return nil
}

// inTurns has the sides carry a load one after the other, and prints the medians of each
// and how the second compares with the first.
func (b *bench) inTurns(ctx context.Context, what string, sides [2]*side, run func(context.Context, *side) (figures, error)) error {
	var seen [2]struct{ p50, p99, cpu, own []float64 }
	for range peerTurns {
		for i, s := range sides {
			f, err := run(ctx, s)
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%s, %s: %s\n", what, s.name, f)
			of := &seen[i]
			of.p50, of.p99 = append(of.p50, ms(f.p50)), append(of.p99, ms(f.p99))
			of.cpu, of.own = append(of.cpu, f.cpu), append(of.own, f.own)
			if pause(ctx, peerPause); ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	for i, s := range sides {
		of := seen[i]
		b.row(what+", "+s.name, "p50 %.2f ms, p99 %.2f ms; %.1f CPU-seconds per million deliveries, the load generator %.1f more",
			median(of.p50), median(of.p99), median(of.cpu), median(of.own))
	}
	theirs, ours := seen[0], seen[1]
	b.row(what+", "+sides[1].name+" to "+sides[0].name, "p50 %.2f times, p99 %.2f times, CPU %.2f times (medians of %d turns)",
		median(ours.p50)/median(theirs.p50), median(ours.p99)/median(theirs.p99), median(ours.cpu)/median(theirs.cpu), peerTurns)
	return nil
}

// inHall has ten of the members of one channel publish.
func (s *side) inHall(ctx context.Context, members, rate int) (figures, error) {
	h, err := openHall(s.wire, "hall", members, s.cpu, func(user, channel string) (*raw, error) { return s.enter("", user, channel) })
	if err != nil {
		return figures{}, err
	}
	defer h.close()
	own := processCPU(os.Getpid())
	f := h.at(ctx, rate)
	own = processCPU(os.Getpid()) - own
	if !f.complete {
		return figures{}, fmt.Errorf("%s: messages are missing: %s", s.name, f)
	}
	return figures{p50: f.p50, p99: f.p99, cpu: f.cpu, own: own.Seconds() / (float64(rate*hallSeconds*members) / 1e6)}, nil
}

// arrivals has 5,000 connect and join at once, in channels of ten, in turns; in the first
// they stay, and it is measured what they take in the main process.
func (b *bench) arrivals(ctx context.Context, sides [2]*side) error {
	var seconds [2][]float64
	for turn := range peerTurns {
		for i, s := range sides {
			if turn == 0 {
				each, err := s.idleBytes(ctx)
				if err != nil {
					return err
				}
				b.row(fmt.Sprintf("%d idle connections, each in a channel of %d, %s", peerComes, idleRoom, s.name), "%.1f kB each in the main process", each/1000)
			}
			begin := time.Now()
			own := processCPU(os.Getpid())
			all, err := s.come(ctx, fmt.Sprint("turn", turn), peerComes)
			took := time.Since(begin)
			closeAll(all)
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "%d connect and join, %s: %.2f s, the load generator %.2f CPU-seconds of it\n", peerComes, s.name, took.Seconds(), (processCPU(os.Getpid()) - own).Seconds())
			seconds[i] = append(seconds[i], took.Seconds())
			pause(ctx, peerPause)
		}
	}
	for i, s := range sides {
		b.row(fmt.Sprintf("%d connect and join, %d at a time, %s", peerComes, peerAside, s.name), "%.2f s", median(seconds[i]))
	}
	b.row(fmt.Sprintf("%d connect and join, %s to %s", peerComes, sides[1].name, sides[0].name), "%.2f times (medians of %d turns)", median(seconds[1])/median(seconds[0]), peerTurns)
	return nil
}

// idleBytes is what a connection takes that has joined a channel and says nothing.
func (s *side) idleBytes(ctx context.Context) (float64, error) {
	warm, err := s.come(ctx, "warm", idleWarm)
	defer func() { closeAll(warm) }()
	if err != nil {
		return 0, err
	}
	pause(ctx, idleRest)
	before := anonymous(s.pid)
	all, err := s.come(ctx, "idle", peerComes)
	defer closeAll(all)
	if err != nil {
		return 0, err
	}
	pause(ctx, idleRest)
	return float64(anonymous(s.pid)-before) / peerComes, ctx.Err()
}

// come has n members enter, as many at a time as peerAside says. Who came is returned
// with an error, too.
func (s *side) come(ctx context.Context, prefix string, n int) ([]*raw, error) {
	all, errs := make([]*raw, n), make([]error, n)
	var work sync.WaitGroup
	for first := range peerAside {
		work.Go(func() {
			for i := first; i < n && ctx.Err() == nil; i += peerAside {
				r, err := s.enter(fmt.Sprint("127.1.0.", 1+i%crowdAddresses), fmt.Sprint(prefix, i), fmt.Sprint(prefix, "-", i/idleRoom))
				if err != nil {
					errs[i] = err
					return
				}
				all[i] = r
				go drain(r)
			}
		})
	}
	work.Wait()
	return all, errors.Join(append(errs, ctx.Err())...)
}

func closeAll(all []*raw) {
	for _, r := range all {
		if r != nil {
			_ = r.conn.Close()
		}
	}
}
