package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/telemetry"
)

// checked is a command whose settings name files, addresses and patterns. What
// check accepts, a start accepts: both load them in the same way.
type checked interface{ check() error }

// sound reports what is wrong with a command's settings, before anything of it
// is started.
func sound(command runner) error {
	if c, ok := command.(checked); ok {
		return c.check()
	}
	return nil
}

// firstOf is the first error of several checks.
func firstOf(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (f *clusterFlags) checkCluster() error {
	_, err := f.cluster()
	return err
}

func (f *historyFlags) checkHistory() error {
	dsn, err := f.history()
	if err != nil {
		return err
	}
	return clickhouse.Check(dsn)
}

func (f *clientFlags) checkClients(listen address) error {
	_, err := f.config(listen, slog.New(slog.DiscardHandler))
	return err
}

// warnings are about what works today, and will not soon.
func (f *clientFlags) warnings() []string {
	certificate, err := f.certificate(slog.New(slog.DiscardHandler))
	if err != nil || certificate == nil {
		return nil
	}
	return certificate.Troubles(time.Now())
}

func (r *running) check() error {
	if r.Pprof && r.Admin == "" {
		return errors.New("--pprof: profiles are served at --admin, which is empty: give it an address")
	}
	if r.Admin != "" {
		if err := embedded.CheckListen(string(r.Admin), "--admin"); err != nil {
			return err
		}
	}
	return telemetry.Check()
}

// check of an address that --listen gave.
func (a address) check() error { return embedded.CheckListen(string(a), "--listen") }

func (c *upCommand) check() error {
	return firstOf(c.running.check, c.Listen.check, c.checkPartitions, c.checkAPI, func() error {
		_, err := c.clients(slog.New(slog.DiscardHandler))
		return err
	})
}

func (c *upCommand) checkPartitions() error {
	if err := embedded.CheckPartitions(int(c.Partitions)); err != nil {
		return fmt.Errorf("--partitions %d: %w", c.Partitions, err)
	}
	return nil
}

func (c *brokerCommand) check() error { return firstOf(c.running.check, c.Listen.check) }

func (c *clickhouseCommand) check() error { return firstOf(c.running.check, c.Listen.check) }

func (c *traceCommand) check() error {
	if u, err := url.Parse(c.Jaeger); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errors.New("--jaeger: it takes an address of the form http://host:port")
	}
	return nil
}

// check of an address for clients, where there are any.
func (a clientAddress) check() error {
	if a == noListener {
		return nil
	}
	return address(a).check()
}

func (c *connectorCommand) check() error {
	return firstOf(c.running.check, c.Listen.check, c.checkCluster, c.checkHistory, c.checkAPI,
		func() error { return c.checkClients(address(c.Listen)) })
}

func (c *chatworkerCommand) check() error { return firstOf(c.running.check, c.checkCluster) }

func (c *projectorCommand) check() error {
	return firstOf(c.running.check, c.checkCluster, c.checkHistory)
}

// check of an operator's command: a data folder replaces addresses.
func (f *kafkaFlags) check() error {
	if f.Data != "" {
		return nil
	}
	return f.checkCluster()
}

func (f *operatorFlags) check() error {
	if f.Data != "" {
		return nil
	}
	return firstOf(f.checkCluster, f.checkHistory)
}
