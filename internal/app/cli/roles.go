package cli

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/web"
)

// logFlags are which log to use, and how to create one that does not exist.
type logFlags struct {
	clusterFlags
	Partitions  count `default:"0" placeholder:"N" help:"Partitions of a log that does not exist yet; one that does keeps its own. Default: 12."`
	Replication count `default:"0" placeholder:"N" help:"Replication factor of a log that does not exist yet. Default: the brokers' own."`
}

// base is what a role needs, by the flags.
func (f *logFlags) base(client string, t *tools) (roles.Base, error) {
	cluster, err := f.cluster()
	cluster.ClientID = client
	return roles.Base{
		Kafka: cluster, Partitions: int(f.Partitions), Replication: int(f.Replication),
		Meters: t.telemetry.Meters(), Tracers: t.telemetry.Tracers(), Logger: t.log,
	}, err
}

// historyFlags are where the history is.
type historyFlags struct {
	Clickhouse             dsn    `default:"${clickhouse}" placeholder:"DSN" help:"ClickHouse with the history, as clickhouse://[user:password@]host:port/database. Default: ${default}."`
	ClickhousePasswordFile string `placeholder:"FILE" help:"File with the password for ClickHouse; read where the DSN has none."`
}

// history is the DSN by the flags.
func (f *historyFlags) history() (string, error) {
	return clickhouse.WithPasswordFile(string(f.Clickhouse), f.ClickhousePasswordFile)
}

// besideFlags name a stack on this machine that a role runs beside.
type besideFlags struct {
	Data string `placeholder:"DIR" help:"Data folder of a \"parley up\" that runs, in place of the addresses of its servers."`
}

// stack is how the stack that runs on --data is reached, and its log as a client.
func (f *besideFlags) stack(client string) (a stack.Addresses, log eventlog.Config, err error) {
	if a, err = stack.ReadAddresses(f.Data); err != nil {
		return a, log, fmt.Errorf("no `parley up` runs on --data %s: start it first, or name the brokers with --kafka: %w", f.Data, err)
	}
	log, err = a.Log()
	log.ClientID = client
	return a, log, err
}

type connectorCommand struct {
	running
	logFlags
	historyFlags
	clientFlags
	Listen clientAddress `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address for browsers and other clients, or none to serve the API alone. Default: ${default}."`
}

// Run serves clients until ctx ends.
func (c *connectorCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-connector", false, func(t *tools) error {
		conn, cfg, err := c.open(ctx, t)
		if err != nil {
			return err
		}
		defer readAgain(ctx, &cfg)()
		if !cfg.NoClients {
			t.log.Info("the connector listens", "address", conn.Addr().String())
		}
		if at := conn.PomeloAddr(); at != nil {
			t.log.Info("clients of pomelo connect to", "address", at.String())
		}
		if at := conn.APIAddr(); at != nil {
			t.log.Info("the API listens", "address", at.String())
		}
		return c.role(ctx, conn, t)
	})
}

func (c *connectorCommand) open(ctx context.Context, t *tools) (conn *connector.Connector, cfg connector.Config, err error) {
	if cfg, err = c.clientFlags.config(address(c.Listen), t.log); err != nil {
		return nil, cfg, err
	}
	t.access = cfg.Access()
	t.log.Info("the connector starts", "clients", t.access)
	if cfg.Base, err = c.base("connector", t); err != nil {
		return nil, cfg, err
	}
	if cfg.ClickHouse, err = c.history(); err != nil {
		return nil, cfg, err
	}
	if err = c.listen(ctx, &cfg); err == nil {
		cfg.Page = web.Handler()
		conn, err = connector.New(cfg)
	}
	if err != nil {
		return nil, cfg, errors.Join(err, unlisten(&cfg))
	}
	return conn, cfg, nil
}

// listen opens the listeners that the flags ask for.
func (c *connectorCommand) listen(ctx context.Context, cfg *connector.Config) (err error) {
	if !cfg.NoClients {
		if cfg.Listener, err = embedded.Listen(ctx, string(c.Listen), "--listen"); err != nil {
			return err
		}
	}
	if c.API != "" {
		cfg.API.Listener, err = embedded.Listen(ctx, string(c.API), "--api")
	}
	return err
}

// unlisten closes what listen has opened.
func unlisten(cfg *connector.Config) (err error) {
	for _, l := range []net.Listener{cfg.Listener, cfg.API.Listener} {
		if l != nil {
			err = errors.Join(err, l.Close())
		}
	}
	return err
}

type chatworkerCommand struct {
	running
	logFlags
	Group string `default:"parley-chatworker" placeholder:"NAME" help:"Consumer group that shares the partitions. Default: ${default}."`
}

// Run pushes what happens in channels to connectors until ctx ends.
func (c *chatworkerCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-chatworker", false, func(t *tools) error {
		base, err := c.base("chatworker", t)
		if err != nil {
			return err
		}
		w, err := chatworker.New(chatworker.Config{Base: base, Group: c.Group})
		if err != nil {
			return err
		}
		return c.role(ctx, w, t)
	})
}

type projectorCommand struct {
	running
	logFlags
	historyFlags
	Group string `default:"parley-projector" placeholder:"NAME" help:"Consumer group that shares the partitions. Default: ${default}."`
}

// Run writes history until ctx ends.
func (c *projectorCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-projector", false, func(t *tools) error {
		base, err := c.base("projector", t)
		if err != nil {
			return err
		}
		dsn, err := c.history()
		if err != nil {
			return err
		}
		w, err := projector.New(projector.Config{Base: base, ClickHouse: dsn, Group: c.Group})
		if err != nil {
			return err
		}
		return c.role(ctx, w, t)
	})
}

// component is one role, ready to run.
type component interface {
	Run(context.Context) error
	healthy
}

// role runs a component, and its health beside it, until ctx ends.
func (r *running) role(ctx context.Context, c component, t *tools) (err error) {
	t.memory.tell(t.log)
	health, ctx, err := r.startAdmin(ctx, c, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, health.stop()) }()
	return c.Run(ctx)
}
