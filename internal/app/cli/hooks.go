package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/hooks"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/internal/webhook"
)

type hooksCommand struct {
	Run  hooksRunCommand  `cmd:"" default:"withargs" help:"Send events until it is stopped."`
	Skip hooksSkipCommand `cmd:"" help:"Leave out events that the receiver does not take."`
}

type hooksRunCommand struct {
	running
	logFlags
	besideFlags
	Name       string        `default:"default" placeholder:"NAME" help:"Whose position in the log it is: processes of one name share the work, each name gets all events. Default: ${default}."`
	URL        string        `name:"url" placeholder:"URL" help:"Where events are POSTed."`
	SecretFile string        `placeholder:"FILE" help:"File of the secret that signs them, whsec_…, by Standard Webhooks; two lines while it is replaced. Required beyond this machine."`
	CA         string        `name:"ca" placeholder:"FILE" help:"Certificates (PEM) that vouch for the receiver's, in place of the system's."`
	Kinds      []string      `placeholder:"KIND" help:"Kinds of events to send: join, leave, occupied, vacated, chat, change, pin, sanction, purge, set. Default: all."`
	Channels   []string      `placeholder:"PATTERN" help:"Channels whose events to send, by patterns such as team-*. Default: all."`
	Private    bool          `help:"Send private messages, and their changes, too."`
	From       string        `default:"end" placeholder:"WHERE" help:"Where a new name begins: beginning, end, or a time as in RFC 3339. Default: ${default}."`
	Timeout    time.Duration `default:"30s" placeholder:"TIME" help:"How long the receiver may take to answer. Default: ${default}."`
	GiveUp     time.Duration `default:"0s" placeholder:"TIME" help:"Leave out events that the receiver has not taken for this long; 0: never. Default: ${default}."`
}

// Help is shown under the command's flags.
func (c *hooksRunCommand) Help() string {
	return `Events are sent in order, partition by partition, at least once, as
docs/hooks.md says. Stopped and started again it goes on where it was.`
}

// config is the hooks' by the flags, without the log.
func (c *hooksRunCommand) config() (cfg hooks.Config, err error) {
	cfg.Name, cfg.GiveUp = c.Name, c.GiveUp
	if c.Timeout <= 0 || c.GiveUp < 0 {
		return cfg, fmt.Errorf("--timeout is %v and --give-up is %v: the one takes a time above 0, the other one from 0 on", c.Timeout, c.GiveUp)
	}
	if err = hooks.CheckName(c.Name); err != nil {
		return cfg, fmt.Errorf("--name: %w", err)
	}
	if cfg.Filter, err = hooks.NewFilter(c.Kinds, c.Channels, c.Private); err != nil {
		return cfg, fmt.Errorf("--kinds, --channels: %w", err)
	}
	if cfg.From, err = hooks.ParseFrom(c.From); err != nil {
		return cfg, fmt.Errorf("--from: %w", err)
	}
	cfg.Receiver = webhook.Receiver{URL: c.URL, Timeout: c.Timeout, Agent: "parley/" + roles.Version()}
	if c.SecretFile != "" {
		if cfg.Receiver.Secrets, err = webhook.ReadSecrets(c.SecretFile); err != nil {
			return cfg, fmt.Errorf("--secret-file: %w", err)
		}
	}
	if cfg.Receiver.TLS, err = (trust.Files{CA: c.CA}).Config(); err != nil {
		return cfg, fmt.Errorf("--ca: %w", err)
	}
	if _, err = webhook.NewSender(cfg.Receiver); err != nil {
		return cfg, fmt.Errorf("--url: %w", err)
	}
	return cfg, nil
}

func (c *hooksRunCommand) check() error {
	return firstOf(c.running.check, c.checkCluster, func() error {
		_, err := c.config()
		return err
	})
}

// Run sends events until ctx ends.
func (c *hooksRunCommand) Run(ctx context.Context, p process) error {
	return c.runWithTools(ctx, p, "parley-hooks", false, func(t *tools) error {
		cfg, err := c.config()
		if err != nil {
			return err
		}
		if cfg.Base, err = c.base("hooks", t); err != nil {
			return err
		}
		if c.Data != "" {
			if _, cfg.Kafka, err = c.stack("hooks"); err != nil {
				return err
			}
		}
		h, err := hooks.New(cfg)
		if err != nil {
			return err
		}
		return c.role(ctx, h, t)
	})
}

type hooksSkipCommand struct {
	kafkaFlags
	Name      string `default:"default" placeholder:"NAME" help:"Name of the hooks. Default: ${default}."`
	Partition int    `required:"" placeholder:"N" help:"Partition whose events wait."`
	To        int64  `required:"" placeholder:"SEQ" help:"Seq of the last event to leave out; the role has logged it."`
}

// Help is shown under the command's flags.
func (c *hooksSkipCommand) Help() string {
	return `For events that the receiver will never take. The role leaves out what waits in
that partition up to that seq when it tries the next time, 90 s later at most, or
when it is started. What was left out is not sent again.`
}

// Run writes what is to be left out.
func (c *hooksSkipCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	log, err := epoch.Inspect(ctx, s.kafka)
	if err != nil {
		return err
	}
	if err := hooks.Skip(ctx, s.kafka, log, c.Name, c.Partition, c.To+1); err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Hooks %s leave out what waits in partition %d up to seq %d.\n", c.Name, c.Partition, c.To)
	return err
}
