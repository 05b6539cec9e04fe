package cli

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/parley-chat/parley/connector"
)

// outliveTerminal lets a service continue when the reader of its log is gone: a
// write to standard output or error that nobody reads would end the process, and
// so would a terminal that hangs up.
func outliveTerminal() { signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP) }

// readAgain has the files of grants and of API keys read again at each SIGHUP, until
// ctx ends and stop is called.
func readAgain(ctx context.Context, cfg *connector.Config) (stop func()) {
	if cfg.Grants == nil && cfg.API.Keys == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	signals, ended := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer close(ended)
		cfg.FollowFiles(ctx, signals)
	}()
	return func() {
		signal.Ignore(syscall.SIGHUP) // as before: the end is near, and a terminal may hang up
		cancel()
		<-ended
	}
}

// untilInterrupted returns a context that ends at the first SIGINT or SIGTERM.
// The second one ends the process at once; the ClickHouse child ends with it.
func untilInterrupted(say voice) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			say(slog.LevelInfo, "stopping; interrupt again to stop at once")
			cancel()
		case <-over:
			return
		}
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-over:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(over)
		<-ended
		cancel()
	}
}
