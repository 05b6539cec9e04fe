package epoch

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

func broker(t *testing.T) *eventlog.Client {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	c, err := eventlog.New(eventlog.Config{Brokers: cluster.ListenAddrs(), ClientID: "test", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestManyStartersAgreeOnOneEpoch(t *testing.T) {
	c, ctx := broker(t), patient(t)
	logs := make([]Log, 5)
	var starters sync.WaitGroup
	for i := range logs {
		starters.Go(func() {
			var err error
			if logs[i], err = Open(ctx, c, Options{Partitions: 4}); err != nil {
				t.Error(err)
			}
		})
	}
	starters.Wait()
	for _, l := range logs {
		if l != logs[0] || l.Epoch == "" || l.Partitions != 4 || l.Window != schema.Window {
			t.Errorf("%+v, another starter has %+v", l, logs[0])
		}
	}
	for p := range 4 {
		if first, end, err := c.Offsets(ctx, schema.TopicEvents, p); err != nil || first != 0 || end < 1 {
			t.Errorf("partition %d holds [%d, %d), %v", p, first, end, err)
		}
	}
	if err := logs[0].Check(ctx, c); err != nil {
		t.Error(err)
	}
}

func TestALogKeepsItsPartitions(t *testing.T) {
	c, ctx := broker(t), patient(t)
	if _, err := Open(ctx, c, Options{Partitions: 3}); err != nil {
		t.Fatal(err)
	}
	if l, err := Open(ctx, c, Options{Partitions: 9}); err != nil || l.Partitions != 3 {
		t.Errorf("opened again with %d partitions, %v", l.Partitions, err)
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*testing.T, context.Context, *eventlog.Client)
		says  string
	}{
		"another epoch is in use": {func(t *testing.T, ctx context.Context, c *eventlog.Client) {
			put(t, ctx, c, schema.TopicControl, schema.ControlKeyEpoch, &schema.LogEpoch{Epoch: "old", Partitions: 2})
		}, "parley epoch new"},
		"another program's topic": {func(t *testing.T, ctx context.Context, c *eventlog.Client) {
			put(t, ctx, c, schema.TopicEvents, "", &schema.LogEpoch{Epoch: "\xff"})
		}, "another program"},
	} {
		t.Run(name, func(t *testing.T) {
			client, ctx := broker(t), patient(t)
			if err := client.EnsureTopics(ctx, Topics(2, 1)); err != nil {
				t.Fatal(err)
			}
			c.spoil(t, ctx, client)
			_, err := Open(ctx, client, Options{})
			var refused *Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want a refusal that says %q", err, c.says)
			}
		})
	}
}

func put(t *testing.T, ctx context.Context, c *eventlog.Client, topic, key string, m proto.Message) {
	value, err := proto.Marshal(m)
	if err != nil {
		value = []byte("no event at all")
	}
	p := c.NewProducer(eventlog.ProducerConfig{Topic: topic})
	defer p.Close()
	if _, err := p.ProduceSync(ctx, 0, eventlog.Record{Key: []byte(key), Value: value}); err != nil {
		t.Fatal(err)
	}
}
