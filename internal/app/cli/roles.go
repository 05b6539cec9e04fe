package cli

import (
	"context"
	"errors"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/web"
)

// logFlags are which log to use, and how to create one that does not exist.
type logFlags struct {
	clusterFlags
	Partitions  count `default:"0" placeholder:"N" help:"Partitions of a log that does not exist yet; one that does keeps its own. Default: 12."`
	Replication count `default:"0" placeholder:"N" help:"Replication factor of a log that does not exist yet. Default: the brokers' own."`
}

func (f *logFlags) config(client string, t *tools) (eventlog.Config, error) {
	cfg, err := f.cluster()
	cfg.ClientID, cfg.Logger = client, t.log
	cfg.Meters, cfg.Tracers = t.telemetry.Meters(), t.telemetry.Tracers()
	return cfg, err
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

type connectorCommand struct {
	running
	logFlags
	historyFlags
	clientFlags
	Listen address `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address for browsers and other clients. Default: ${default}."`
}

// Run serves clients until ctx ends.
func (c *connectorCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-connector", false, func(t *tools) error {
		conn, err := c.open(ctx, t)
		if err != nil {
			return err
		}
		t.log.Info("the connector listens", "address", conn.Addr().String())
		return c.role(ctx, conn, t)
	})
}

func (c *connectorCommand) open(ctx context.Context, t *tools) (*connector.Connector, error) {
	cfg, err := c.clientFlags.config(c.Listen)
	if err != nil {
		return nil, err
	}
	t.access = cfg.Access()
	t.log.Info("the connector starts", "clients", t.access)
	if cfg.Kafka, err = c.logFlags.config("connector", t); err != nil {
		return nil, err
	}
	if cfg.ClickHouse, err = c.history(); err != nil {
		return nil, err
	}
	listener, err := listen(ctx, c.Listen)
	if err != nil {
		return nil, err
	}
	cfg.Listener = listener
	cfg.Partitions, cfg.Replication = int(c.Partitions), int(c.Replication)
	cfg.Page, cfg.Logger = web.Handler(), t.log
	cfg.Meters, cfg.Tracers = t.telemetry.Meters(), t.telemetry.Tracers()
	conn, err := connector.New(cfg)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return conn, nil
}

type chatworkerCommand struct {
	running
	logFlags
	Group string `default:"parley-chatworker" placeholder:"NAME" help:"Consumer group that shares the partitions. Default: ${default}."`
}

// Run pushes what happens in channels to connectors until ctx ends.
func (c *chatworkerCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-chatworker", false, func(t *tools) error {
		kafka, err := c.config("chatworker", t)
		if err != nil {
			return err
		}
		w, err := chatworker.New(chatworker.Config{
			Kafka: kafka, Group: c.Group,
			Partitions: int(c.Partitions), Replication: int(c.Replication),
			Meters: t.telemetry.Meters(), Tracers: t.telemetry.Tracers(), Logger: t.log,
		})
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
		kafka, err := c.config("projector", t)
		if err != nil {
			return err
		}
		dsn, err := c.history()
		if err != nil {
			return err
		}
		w, err := projector.New(projector.Config{
			Kafka: kafka, ClickHouse: dsn, Group: c.Group,
			Partitions: int(c.Partitions), Replication: int(c.Replication),
			Meters: t.telemetry.Meters(), Tracers: t.telemetry.Tracers(), Logger: t.log,
		})
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
	health, ctx, err := startAdmin(ctx, string(r.Admin), c, t)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, health.stop()) }()
	return c.Run(ctx)
}
