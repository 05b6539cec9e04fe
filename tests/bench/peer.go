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
	peer, stop, err := startCentrifugo(ctx, o.peer, filepath.Dir(b.log), false)
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
		{"fanout", fmt.Sprintf("fan-out to %d members at %d messages/s", o.members, hallRate), func(ctx context.Context, s *side) (figures, error) { return s.inHall(ctx, o.members, hallRate) }},
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
		return b.arrivals(ctx, o.peer, sides)
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
// they stay, and it is measured what they take in the main process. Once more they come to
// the peer whose members hear who joins, which is what ours do.
func (b *bench) arrivals(ctx context.Context, binary string, both [2]*side) error {
	telling, stop, err := startCentrifugo(ctx, binary, filepath.Dir(b.log), true)
	if err != nil {
		return err
	}
	defer stop()
	sides := []*side{both[0], telling, both[1]}
	seconds, cpu := make([][]float64, len(sides)), make([][]float64, len(sides))
	for turn := range peerTurns {
		for i, s := range sides {
			if turn == 0 && s != telling {
				each, err := s.idleBytes(ctx)
				if err != nil {
					return err
				}
				b.row(fmt.Sprintf("%d idle connections, each in a channel of %d, %s", peerComes, idleRoom, s.name), "%.1f kB each in the main process", each/1000)
				pause(ctx, peerPause) // they leave
			}
			took, used, err := s.comeTimed(ctx, fmt.Sprint("turn", turn))
			if err != nil {
				return err
			}
			seconds[i], cpu[i] = append(seconds[i], took.Seconds()), append(cpu[i], used.Seconds()*1e6/peerComes)
			pause(ctx, peerPause)
		}
	}
	what := fmt.Sprintf("%d connect and join, %d at a time, ", peerComes, peerAside)
	for i, s := range sides {
		b.row(what+s.name, "%.2f s, %.0f CPU-µs each (medians of %d turns)", median(seconds[i]), median(cpu[i]), peerTurns)
	}
	ours := len(sides) - 1
	for i, s := range sides[:ours] {
		b.row(what+sides[ours].name+" to "+s.name, "%.2f times, CPU %.2f times", median(seconds[ours])/median(seconds[i]), median(cpu[ours])/median(cpu[i]))
	}
	return nil
}

// comeTimed is how long it takes until 5,000 have come, who leave again, and what the
// server has used by then.
func (s *side) comeTimed(ctx context.Context, prefix string) (took, used time.Duration, err error) {
	begin, own, cpu := time.Now(), processCPU(os.Getpid()), s.cpu()
	all, err := s.come(ctx, prefix, peerComes)
	took, used = time.Since(begin), s.cpu()-cpu
	fmt.Fprintf(os.Stderr, "%d connect and join, %s: %.2f s, %.2f CPU-seconds, the load generator %.2f more\n", peerComes, s.name, took.Seconds(), used.Seconds(), (processCPU(os.Getpid()) - own).Seconds())
	closeAll(all)
	return took, used, err
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
