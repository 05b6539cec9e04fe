package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/roles"
)

type upCommand struct {
	running
	clientFlags
	storeFlags
	Listen     address `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address of the chat. Default: ${default}."`
	Data       string  `default:"data" placeholder:"DIR" help:"Folder of everything that is kept. Default: ${default}."`
	Partitions count   `default:"0" placeholder:"N" help:"Partitions of a log that does not exist yet, at most 100; one that does keeps its own. Default: 12."`
}

// Run starts the stack, prints its addresses, and stops it when ctx ends.
func (c *upCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley", true, func(t *tools) error { return c.run(ctx, p, t) })
}

func (c *upCommand) run(ctx context.Context, p process, t *tools) (err error) {
	clients, err := c.clients(t.log)
	if err != nil {
		return err
	}
	t.access = clients.Access()
	t.log.Info("parley starts", "clients", t.access)
	defer readAgain(ctx, &clients)()
	t.memory.tell(t.log)
	var running atomic.Pointer[stack.Stack]
	health, ctx, err := c.startAdmin(ctx, starting{&running}, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, health.stop()) }()
	s, err := stack.Start(ctx, stack.Config{
		Listen: string(c.Listen), APIListen: cmp.Or(string(c.API), anyPort), DataDir: c.Data, Partitions: int(c.Partitions), Clients: clients, ClickHouseHTTP: c.ClickhouseHTTP,
		Begun:  func(s *stack.Stack) { running.Store(s) },
		Meters: t.telemetry.Meters(), Tracers: t.telemetry.Tracers(), Logger: t.log,
	})
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped while it was starting
		}
		return err
	}
	c.announce(p, s.Addresses(), t.log)
	select {
	case <-ctx.Done():
	case <-s.Failed():
		err = s.Err()
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopPatience+c.DrainDelay+c.Drain)
	defer cancel()
	return errors.Join(err, s.Stop(stopCtx))
}

// anyPort is where the API of a stack listens by default.
const anyPort = "127.0.0.1:0"

// clients is what clients and backends may do. A stack has a key of its own for the
// commands on this machine.
func (c *upCommand) clients(log *slog.Logger) (connector.Config, error) {
	own := c.clientFlags
	own.API, own.ownKey = cmp.Or(own.API, anyPort), true
	return own.config(c.Listen, log)
}

// announce prints and logs where everything is.
func (c *upCommand) announce(p process, a stack.Addresses, log *slog.Logger) {
	data, err := filepath.Abs(c.Data)
	if err != nil {
		data = c.Data
	}
	log.Info("parley is ready", "chat", a.Chat, "api", a.API, "kafka", a.Kafka, "clickhouse", a.ClickHouse, "data", data)
	sql := "`parley sql --data " + c.Data + "` asks it"
	if a.ClickHouseHTTP != "" {
		sql = "SQL by HTTP: " + a.ClickHouseHTTP
	}
	pomelo := ""
	if a.Pomelo != "" {
		pomelo = "\n  pomelo      " + a.Pomelo
	}
	fmt.Fprintf(p.stdout, `Parley is ready.
  chat        %s%s
  API         %s (key in %s)
  data        %s
  Kafka       %s (embedded broker)
  ClickHouse  %s (%s)
`, a.Chat, pomelo, a.API, a.APIKeyFile, data, a.Kafka, a.ClickHouse, sql)
}

// starting is the health of a stack that may not exist yet.
type starting struct{ stack *atomic.Pointer[stack.Stack] }

// Health is that of the stack.
func (s starting) Health(ctx context.Context) roles.Health {
	if running := s.stack.Load(); running != nil {
		return running.Health(ctx)
	}
	return roles.Health{Unready: []string{"it is starting"}}
}
