package cli

import (
	"context"
	"fmt"

	"github.com/parley-chat/parley/internal/ingest"
	"github.com/parley-chat/parley/schema/rpc"
)

type ingestCommand struct {
	running
	logFlags
	historyFlags
	besideFlags
	Group   string `default:"parley-ingest" placeholder:"NAME" help:"Consumer group that shares the partitions of commands. Default: ${default}."`
	Key     string `default:"ingest" placeholder:"NAME" help:"Name in which commands act, as that of a key of the API. Default: ${default}."`
	MaxBody int    `default:"4096" placeholder:"BYTES" help:"Size of a message. Default: ${default}."`
	MaxData int    `default:"4096" placeholder:"BYTES" help:"Size of the data of a message. Default: ${default}."`
}

// Run carries out commands until ctx ends.
func (c *ingestCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-ingest", false, func(t *tools) error {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		if cfg.Base, err = c.base("ingest", t); err != nil {
			return err
		}
		if c.Data != "" {
			a, log, err := c.stack("ingest")
			if err != nil {
				return err
			}
			cfg.Kafka, cfg.ClickHouse = log, a.ClickHouse
		}
		i, err := ingest.New(cfg)
		if err != nil {
			return err
		}
		return c.role(ctx, i, t)
	})
}

// config is what the flags say of ingest alone.
func (c *ingestCommand) config() (cfg ingest.Config, err error) {
	cfg = ingest.Config{Group: c.Group, Key: c.Key, Limits: rpc.Limits{Body: c.MaxBody, Data: c.MaxData}}
	cfg.ClickHouse, err = c.history()
	return cfg, err
}

// Validate implements kong's check of values.
func (c *ingestCommand) Validate() error {
	for flag, n := range map[string]int{"--max-body": c.MaxBody, "--max-data": c.MaxData} {
		if n < 1 {
			return fmt.Errorf("%s is %d: it takes a number from 1 on", flag, n)
		}
	}
	return nil
}

func (c *ingestCommand) check() error {
	return firstOf(c.running.check, c.checkCluster, c.checkHistory, func() error {
		cfg, err := c.config()
		if err == nil {
			_, err = ingest.New(cfg)
		}
		return err
	})
}
