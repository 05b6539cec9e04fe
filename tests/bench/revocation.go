package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

const (
	revocations  = 20
	pausedRounds = 3
	pausedFor    = 5 * time.Second
	mostRevoking = time.Second
)

// revocation measures how long a revoked token lasts, on every connector, also
// on one that was paused meanwhile, from its waking.
func (b *bench) revocation(ctx context.Context, binary string) error {
	dir, err := os.MkdirTemp("", "parley-fleet")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	f := &fleet{binary: binary, dir: dir}
	defer f.stop()
	if f.tokens, err = newIssuer(dir); err != nil {
		return err
	}
	if err := f.start(ctx, 3); err != nil {
		return fmt.Errorf("%w; the logs are in %s", err, dir)
	}
	var awake, woken []time.Duration
	for n := range revocations + pausedRounds {
		took, late, err := f.revoke(ctx, n, n >= revocations)
		if err != nil {
			return err
		}
		awake, woken = append(awake, took...), append(woken, late...)
	}
	b.goal(slices.Max(awake) <= mostRevoking, fmt.Sprintf("a revoked token ends sessions on three connectors, %d times", revocations+pausedRounds),
		"p50 %.0f ms, at most %.0f ms after `parley revoke` is done (goal ≤ 1 s)", ms(quantile(awake, .5)), ms(slices.Max(awake)))
	b.goal(slices.Max(woken) <= mostRevoking, fmt.Sprintf("one of them was paused for %v meanwhile, %d times", pausedFor, pausedRounds),
		"at most %.0f ms after it goes on (goal ≤ 1 s)", ms(slices.Max(woken)))
	return nil
}

// revoke ends the sessions that a user has on every connector. took is how long
// that takes on those that run, late on the one that is paused for a while.
func (f *fleet) revoke(ctx context.Context, n int, pausing bool) (took, late []time.Duration, err error) {
	user := fmt.Sprint("revoked", n)
	ended := make([]chan time.Time, len(f.addrs))
	for i, addr := range f.addrs {
		c := &crowd{addr: addr, tokens: f.tokens}
		r, _, err := c.join("", user, "room-1")
		if err != nil {
			return nil, nil, err
		}
		defer r.conn.Close()
		ended[i] = make(chan time.Time, 1)
		go func() { drain(r); ended[i] <- time.Now() }()
	}
	last := len(f.addrs) - 1
	sleeper := f.connectors[last].Process
	begin := time.Now()
	if pausing {
		if err := sleeper.Signal(syscall.SIGSTOP); err != nil {
			return nil, nil, err
		}
		defer sleeper.Signal(syscall.SIGCONT) //nolint:errcheck // it is killed at the end
	}
	out, err := exec.CommandContext(ctx, f.binary, "revoke", "--kafka", f.kafka, user).CombinedOutput()
	if err != nil {
		return nil, nil, fmt.Errorf("parley revoke: %w: %s", err, out)
	}
	done := time.Now()
	for i := range f.addrs {
		if pausing && i == last {
			pause(ctx, time.Until(begin.Add(pausedFor)))
			done = time.Now()
			if err := sleeper.Signal(syscall.SIGCONT); err != nil {
				return nil, nil, err
			}
		}
		select {
		case at := <-ended[i]:
			if d := max(0, at.Sub(done)); pausing && i == last {
				late = append(late, d)
			} else {
				took = append(took, d)
			}
		case <-time.After(10 * time.Second):
			return nil, nil, fmt.Errorf("a session of connector %d goes on with a revoked token", i+1)
		}
	}
	return took, late, nil
}
