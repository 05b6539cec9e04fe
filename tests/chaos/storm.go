package chaos

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/parley-chat/parley/tests/checker"
)

// StormResult is what became of a storm.
type StormResult struct {
	checker.Report
	// Back is the time from the kill of all connectors until the last client is
	// in all its channels again and has every message sent meanwhile.
	Back time.Duration
}

// Storm lets clients join, kills all connectors at once, starts them again and
// measures until everybody is back. Nothing is sent and nothing else harmed.
func Storm(ctx context.Context, cfg Config) (result *StormResult, err error) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	sys, err := startSystem(cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	r := &run{Config: cfg, sys: sys, rec: newRecorder(), quiet: make(chan struct{})}
	r.usage = &usage{sys: sys, duration: time.Hour, start: time.Now()}
	r.faults = newFaults(sys, r.rec, cfg.Seed, cfg.Logger)
	close(r.quiet)
	ctx, cancel := context.WithCancel(ctx)
	defer r.crowd.Wait()
	defer cancel()
	r.enter(ctx)
	if err := r.awaitSettled(ctx); err != nil {
		return nil, fmt.Errorf("let the clients in: %w", err)
	}
	struck := time.Now()
	if err := r.strikeConnectors(); err != nil {
		return nil, err
	}
	if err := r.awaitSettled(ctx); err != nil {
		return nil, fmt.Errorf("wait for the clients to be back: %w", err)
	}
	back := time.Since(struck)
	judged, err := r.judge(ctx)
	if err != nil {
		return nil, err
	}
	return &StormResult{judged.Report, back}, nil
}

// strikeConnectors kills all connectors, and starts them when no client can
// think any more that it is still in.
func (r *run) strikeConnectors() error {
	var over []func()
	for _, p := range r.sys.named("connector") {
		over = append(over, r.rec.fault(p.name, "kill"))
		p.kill()
	}
	for _, p := range r.persons {
		p.settled.Store(false)
	}
	var starting sync.WaitGroup
	errs := make([]error, len(over))
	for i, p := range r.sys.named("connector") {
		starting.Go(func() {
			errs[i] = errors.Join(p.start(), p.listening(startPatience))
			over[i]()
		})
	}
	starting.Wait()
	return errors.Join(errs...)
}

// awaitSettled waits until every client is in its channels.
func (r *run) awaitSettled(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for !r.settled() {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}
