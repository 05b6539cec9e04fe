package stack

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/internal/embedded"
)

const (
	// database holds the history.
	database = "default"

	restartFirst = 100 * time.Millisecond
	restartMost  = 10 * time.Second
)

// keeper keeps ClickHouse running: a child that dies is started again at the
// same address, for chat goes on without history but history must come back.
type keeper struct {
	cfg  embedded.ClickHouseConfig // with the ports of the first start
	dsn  string
	http string // URL
	log  *slog.Logger
	stop context.CancelFunc
	done chan struct{}

	server *embedded.ClickHouse // owned by run until done; nil when none runs
}

// keepClickHouse starts ClickHouse and its keeper.
func keepClickHouse(ctx context.Context, cfg embedded.ClickHouseConfig) (*keeper, error) {
	server, err := embedded.StartClickHouse(ctx, cfg)
	if err != nil {
		return nil, err
	}
	cfg.Listen = server.Addr()
	if _, cfg.HTTPPort, err = net.SplitHostPort(server.HTTPAddr()); err != nil {
		return nil, errors.Join(err, server.Stop(ctx))
	}
	run, cancel := context.WithCancel(context.Background())
	k := &keeper{
		cfg: cfg, dsn: server.DSN(database), http: "http://" + server.HTTPAddr(), log: cfg.Logger,
		stop: cancel, done: make(chan struct{}), server: server,
	}
	go k.run(run, server)
	return k, nil
}

// run waits for the child's end and starts the next, until ctx ends.
func (k *keeper) run(ctx context.Context, server *embedded.ClickHouse) {
	defer close(k.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-server.Done():
		}
		k.log.Error("ClickHouse ended and is started again: until then joins see what the log holds")
		k.server = nil
		if err := server.Stop(ctx); err != nil {
			k.log.Error("what ClickHouse left could not be tidied up", "error", err)
		}
		next, err := k.restart(ctx)
		if err != nil {
			return // only the end of ctx ends the attempts
		}
		server, k.server = next, next
		k.log.Info("ClickHouse is back", "address", next.Addr())
	}
}

// restart tries until a start succeeds or ctx ends.
func (k *keeper) restart(ctx context.Context) (*embedded.ClickHouse, error) {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(restartFirst),
		backoff.WithMaxInterval(restartMost), backoff.WithMaxElapsedTime(0))
	return backoff.RetryNotifyWithData(
		func() (*embedded.ClickHouse, error) { return embedded.StartClickHouse(ctx, k.cfg) },
		backoff.WithContext(wait, ctx),
		func(err error, next time.Duration) {
			k.log.Error("ClickHouse could not be started again", "error", err, "next try in", next)
		})
}

// close stops the keeper and then the child.
func (k *keeper) close(ctx context.Context) error {
	k.stop()
	<-k.done
	if k.server == nil {
		return nil
	}
	return k.server.Stop(ctx)
}
