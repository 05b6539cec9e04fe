package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/roles"
)

// stopPatience bounds an orderly stop.
const stopPatience = 20 * time.Second

type brokerCommand struct {
	running
	Listen address `default:"127.0.0.1:9092" placeholder:"ADDR" help:"Address to listen at. Default: ${default}."`
	Data   string  `default:"data/broker" placeholder:"DIR" help:"Folder of the log. Default: ${default}."`
	Open   bool    `help:"Let in anybody who can connect, without a password: they can append as any user."`
}

// Run starts the broker and waits.
func (c *brokerCommand) Run(ctx context.Context, p process) error {
	return c.serve(ctx, p, "parley-broker", false, func(ctx context.Context, log *slog.Logger) (server, error) {
		if c.Data == "" {
			return nil, errors.New("--data is empty: name the folder of the log")
		}
		b, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Listen: string(c.Listen), DataDir: c.Data, Open: c.Open, Logger: log})
		if err != nil {
			return nil, err
		}
		log.Info("the broker listens", "address", b.Addr(), "data", c.Data, "login", loginOf(b))
		return b, nil
	})
}

// loginOf is how clients log in to the broker.
func loginOf(b *embedded.Broker) string {
	if b.PasswordFile() == "" {
		return "none"
	}
	return saslScram256 + ", user " + embedded.User + ", password in " + b.PasswordFile()
}

type clickhouseCommand struct {
	running
	Listen address `default:"127.0.0.1:9000" placeholder:"ADDR" help:"Address of the native protocol. Default: ${default}."`
	Data   string  `default:"data/clickhouse" placeholder:"DIR" help:"Folder of the tables. Default: ${default}."`
	storeFlags
}

// storeFlags are those of everything that starts ClickHouse.
type storeFlags struct {
	ClickhouseHTTP bool `name:"clickhouse-http" help:"Let the embedded ClickHouse answer SQL over HTTP too, for those who have its password."`
}

// httpPort is the port of HTTP for StartClickHouse.
func (f *storeFlags) httpPort() string {
	if f.ClickhouseHTTP {
		return "0"
	}
	return ""
}

// Run starts ClickHouse and waits.
func (c *clickhouseCommand) Run(ctx context.Context, p process) error {
	return c.serve(ctx, p, "parley-clickhouse", true, func(ctx context.Context, log *slog.Logger) (server, error) {
		s, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{
			Listen: string(c.Listen), HTTPPort: c.httpPort(), DataDir: c.Data, Logger: log,
		})
		if err != nil {
			return nil, err
		}
		log.Info("ClickHouse listens", "address", s.Addr(), "http", s.HTTPAddr(), "data", c.Data,
			"user", embedded.User, "password_file", s.PasswordFile())
		return s, nil
	})
}

// endedOf is closed when a server no longer serves anybody.
func endedOf(s server) <-chan struct{} {
	if b, ok := s.(*embedded.Broker); ok {
		return b.Ended()
	}
	return s.Done()
}

// server is an embedded server that runs.
type server interface {
	Done() <-chan struct{}
	Stop(context.Context) error
}

// serve starts a server and its health, and stops both when ctx ends.
func (r *running) serve(ctx context.Context, p process, service string, engine withEngine, start func(context.Context, *slog.Logger) (server, error)) error {
	return r.runWithTools(ctx, p, service, engine, func(t *tools) (err error) {
		t.memory.tell(t.log)
		s, err := start(ctx, t.log)
		if err != nil {
			return err
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience)
			defer cancel()
			err = errors.Join(err, s.Stop(ctx))
		}()
		health, ctx, err := r.startAdmin(ctx, alwaysReady{}, t)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, health.stop()) }()
		select {
		case <-ctx.Done():
			return nil
		case <-endedOf(s):
			return fmt.Errorf("the server ended on its own: see the log in its data folder")
		}
	})
}

// alwaysReady is the health of a server that is ready as long as it runs.
type alwaysReady struct{}

func (alwaysReady) Health(context.Context) roles.Health { return roles.Health{} }
