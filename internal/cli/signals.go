package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// untilInterrupted returns a context that ends at the first SIGINT or SIGTERM.
// The second one ends the process at once; the ClickHouse child ends with it.
func untilInterrupted(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-signals:
			fmt.Fprintln(stderr, "parley: stopping; once more to stop at once")
			cancel()
		case <-over:
			return
		}
		select {
		case <-signals:
			os.Exit(exitImpolite)
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
