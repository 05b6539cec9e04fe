package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// DefaultGroup is the consumer group of ingest.
	DefaultGroup = roles.IngestGroup
	// DefaultKey is the name in which commands act.
	DefaultKey = "ingest"
)

// Config is what ingest needs. The zero value of a field with a default means the
// default.
type Config struct {
	roles.Base
	ClickHouse string // DSN
	Group      string // default DefaultGroup
	// Key is the name in which commands act, as that of a key of the API. What such a
	// key does shares its ids with them. Default DefaultKey.
	Key string
	// Limits of messages, as those of the connectors: Body and Data, each 4,096 bytes
	// by default.
	Limits rpc.Limits
}

// Ingest carries out commands. Its methods may be called concurrently; Run once.
type Ingest struct {
	cfg        Config
	metrics    *metrics
	progress   progress
	complaints complaints
	again      time.Duration // from a failure to the next attempt
}

// New checks cfg. It does no I/O.
func New(cfg Config) (*Ingest, error) {
	cfg.SetDefaults(roles.Ingest)
	cfg.Group, cfg.Key = cmp.Or(cfg.Group, DefaultGroup), cmp.Or(cfg.Key, DefaultKey)
	l := &cfg.Limits
	l.Body, l.Data = cmp.Or(l.Body, 4096), cmp.Or(l.Data, 4096)
	l.Edits, l.Pairs, l.Names = cmp.Or(l.Edits, 1_000), cmp.Or(l.Pairs, 10_000), cmp.Or(l.Names, changes.MaxNames)
	l.Sanctions = cmp.Or(l.Sanctions, schema.MaxChannelSanctions)
	switch {
	case l.Body > schema.MaxBody:
		return nil, fmt.Errorf("a body of %d bytes is more than the log takes: the limit is at most %d", l.Body, schema.MaxBody)
	case l.Data > schema.MaxData:
		return nil, fmt.Errorf("data of %d bytes is more than the log takes: the limit is at most %d", l.Data, schema.MaxData)
	}
	if err := api.CheckName(cfg.Key); err != nil {
		return nil, fmt.Errorf("commands act in the name of a key of the API: %w", err)
	}
	if _, err := clickhouse.Parse(cfg.ClickHouse); err != nil {
		return nil, err
	}
	return &Ingest{cfg: cfg, metrics: newMetrics(cfg.Meters), again: time.Second}, nil
}

// Run carries out commands until ctx ends, and returns nil then. It waits for servers
// that are away. Its error is one that another try would not fix: a log that is not the
// one it knows, an event newer than this binary, or refused credentials.
func (i *Ingest) Run(ctx context.Context) error {
	defer i.gauges()()
	err := i.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (i *Ingest) run(ctx context.Context) error {
	kafka, err := eventlog.New(i.cfg.Kafka)
	if err != nil {
		return err
	}
	defer kafka.Close()
	log, err := epoch.Open(ctx, kafka, epoch.Options{
		Partitions: i.cfg.Partitions, Replication: i.cfg.Replication, Await: true, Logger: i.cfg.Logger,
	})
	if err != nil {
		return err
	}
	i.progress.kafka.Store(kafka)
	topic, err := i.awaitTopic(ctx, kafka)
	if err == nil {
		err = i.awaitFormat(ctx, kafka, log)
	}
	if err != nil {
		return err
	}
	past, err := history.New(history.Config{
		DSN: i.cfg.ClickHouse, Log: kafka, Epoch: log, Meters: i.cfg.Meters, Tracers: i.cfg.Tracers, Logger: i.cfg.Logger,
	})
	if err != nil {
		return err
	}
	defer past.Close()
	s := &session{i: i, kafka: kafka, log: log, topic: topic, past: past, turns: make(chan struct{}, searchesAtOnce)}
	return s.run(ctx)
}

// awaitTopic waits until there is a topic of commands, which an operator may have to
// create.
func (i *Ingest) awaitTopic(ctx context.Context, kafka *eventlog.Client) (eventlog.TopicInfo, error) {
	for waiting := false; ; waiting = true {
		info, err := kafka.TopicInfo(ctx, schema.TopicCommands)
		if !errors.Is(err, eventlog.ErrUnknownTopic) {
			return info, err
		}
		if !waiting {
			i.cfg.Logger.Warn("there is no topic of commands: waiting for it; `parley topics create` creates it", "topic", schema.TopicCommands)
		}
		if !roles.Sleep(ctx, i.again) {
			return info, ctx.Err()
		}
	}
}

// awaitFormat waits until the log may hold what commands are about, which came with
// format 2.
func (i *Ingest) awaitFormat(ctx context.Context, kafka *eventlog.Client, log epoch.Log) error {
	if log.Format >= needs {
		return nil
	}
	table := rules.NewTable()
	f := rules.NewFollower(rules.FollowConfig{Kafka: kafka, Table: table, Logger: i.cfg.Logger})
	ctx, cancel := context.WithCancel(ctx)
	g, _ := errgroup.WithContext(ctx)
	defer func() { cancel(); _ = g.Wait() }()
	g.Go(func() error { f.Run(ctx); return nil })
	for waiting := false; ; waiting = true {
		if table.Format(log.Epoch) >= needs {
			return nil
		}
		if !waiting {
			i.cfg.Logger.Warn("commands wait until an operator raises the log's format with `parley format raise`", "needs", needs)
			i.progress.oldFormat.Store(true)
			defer i.progress.oldFormat.Store(false)
		}
		if !roles.Sleep(ctx, i.again) {
			return ctx.Err()
		}
	}
}

// needs is the format of the log that has what backends do.
const needs = 2

// session is what the owners of partitions share.
type session struct {
	i     *Ingest
	kafka *eventlog.Client
	log   epoch.Log
	topic eventlog.TopicInfo // of the commands
	past  *history.Reader
	turns chan struct{} // of those who look for what owners before them have done
}

// searchesAtOnce is how many partitions are looked for at once when they are taken over.
const searchesAtOnce = 2

func (s *session) run(ctx context.Context) error {
	own, err := roles.UserData(roles.Ingest, roles.Process())
	if err != nil {
		return err
	}
	now := time.Now()
	s.i.progress.since.Store(&now)
	defer s.i.progress.since.Store(nil)
	s.i.cfg.Logger.Info("ingest ready", "epoch", s.log.Epoch, "topic", schema.TopicCommands, "partitions", s.topic.Partitions)
	return s.kafka.RunGroup(ctx, eventlog.GroupConfig{
		Group: s.i.cfg.Group, Topics: []string{schema.TopicCommands}, UserData: own, Joined: s.i.progress.member.Set, MayGrow: true,
	}, s.handle)
}

// handle owns a partition of commands for as long as it is assigned to us. What keeps it
// from going on is waited out, and the partition is taken over again.
func (s *session) handle(ctx context.Context, a eventlog.Assignment) error {
	at := &s.i.progress
	at.assigned.Add(1)
	defer at.assigned.Add(-1)
	for {
		err := s.own(ctx, a)
		if ctx.Err() != nil || isFatal(err) {
			return err
		}
		s.i.cfg.Logger.Warn("a partition of commands is held: it is taken over again", "partition", a.Partition, "error", err)
		if !roles.Sleep(ctx, s.i.again) {
			return nil
		}
	}
}

// isFatal reports whether it takes an operator.
func isFatal(err error) bool {
	var refused *epoch.Refused
	var newer *schema.NewerError
	return errors.As(err, &refused) || errors.As(err, &newer) || eventlog.IsRefused(err) || errors.Is(err, eventlog.ErrLogReplaced) || errors.Is(err, errNote)
}
