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
	"github.com/parley-chat/parley/internal/eventlog/admin"
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
			if err := admin.EnsureTopics(ctx, client, Topics(2, 1)); err != nil {
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

// A log of an older version lacks a topic that came later: whoever opens it
// creates it, and changes nothing else.
func TestLogOfAnOlderVersionGetsNewTopics(t *testing.T) {
	c, ctx := broker(t), patient(t)
	before, err := Open(ctx, c, Options{Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := admin.DeleteTopic(ctx, c, schema.TopicRules); err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Await: true}, {}} { // a chat worker may be the first of the new version
		if after, err := Open(ctx, c, o); err != nil || after != before {
			t.Errorf("it is %v (%v), want %v", after, err, before)
		}
		if info, err := c.TopicInfo(ctx, schema.TopicRules); err != nil || info.Partitions != 1 {
			t.Errorf("%s has %d partitions, %v", schema.TopicRules, info.Partitions, err)
		}
		if err := admin.DeleteTopic(ctx, c, schema.TopicRules); err != nil {
			t.Fatal(err)
		}
	}
}

// The topics of signals are created like the others, and nobody needs them to be right.
func TestOptionalTopicsStopNobody(t *testing.T) {
	c, ctx := broker(t), patient(t)
	before, err := Open(ctx, c, Options{Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range []string{schema.TopicSignals, schema.TopicSignalPush} {
		if info, err := c.TopicInfo(ctx, topic); err != nil || info.Partitions != 2 {
			t.Fatalf("%s has %d partitions, %v", topic, info.Partitions, err)
		}
		if err := admin.DeleteTopic(ctx, c, topic); err != nil {
			t.Fatal(err)
		}
		if err := admin.EnsureTopics(ctx, c, []admin.Topic{{Name: topic, Partitions: 3, ReplicationFactor: 1}}); err != nil {
			t.Fatal(err)
		}
		if after, err := Open(ctx, c, Options{}); err != nil || after != before {
			t.Errorf("with another %s it is %v (%v), want %v", topic, after, err, before)
		}
	}
}

// A log that parley.control remembers and that is gone, whole or by partition,
// is refused before anything is created or written.
func TestLostLogIsLeftAlone(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, context.Context, *eventlog.Client){
		"gone": func(*testing.T, context.Context, *eventlog.Client) {},
		"created again": func(t *testing.T, ctx context.Context, c *eventlog.Client) {
			if err := admin.EnsureTopics(ctx, c, Topics(2, 1)[:1]); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, ctx := broker(t), patient(t)
			if _, err := Open(ctx, c, Options{Partitions: 2}); err != nil {
				t.Fatal(err)
			}
			if err := admin.DeleteTopic(ctx, c, schema.TopicEvents); err != nil {
				t.Fatal(err)
			}
			spoil(t, ctx, c)
			before, errBefore := c.TopicInfo(ctx, schema.TopicEvents)
			_, err := Open(ctx, c, Options{Approve: func(context.Context) error { t.Error("somebody is asked"); return nil }})
			var refused *Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "parley epoch new") {
				t.Errorf("%v, want a refusal", err)
			}
			after, errAfter := c.TopicInfo(ctx, schema.TopicEvents)
			if before != after || (errBefore == nil) != (errAfter == nil) {
				t.Errorf("the topic was %v (%v) and is %v (%v)", before, errBefore, after, errAfter)
			}
			for p := range after.Partitions {
				if _, end, err := c.Offsets(ctx, schema.TopicEvents, p); err != nil || end != 0 {
					t.Errorf("partition %d ends at %d, %v", p, end, err)
				}
			}
		})
	}
}

// Who may not begin a log waits for those who may, and who is refused creates
// nothing.
func TestLogIsBegunByThoseWhoMay(t *testing.T) {
	c, ctx := broker(t), patient(t)
	no := errors.New("there was a log before")
	if _, err := Open(ctx, c, Options{Approve: func(context.Context) error { return no }}); !errors.Is(err, no) {
		t.Errorf("not approved: %v", err)
	}
	waited := make(chan Log, 1)
	go func() {
		l, err := Open(ctx, c, Options{Await: true})
		if err != nil {
			t.Error(err)
		}
		waited <- l
	}()
	select {
	case l := <-waited:
		t.Fatalf("nobody began a log, and there is %v", l)
	case <-time.After(500 * time.Millisecond):
	}
	if _, err := c.TopicInfo(ctx, schema.TopicEvents); !errors.Is(err, eventlog.ErrUnknownTopic) {
		t.Errorf("the topic is there: %v", err)
	}
	asked := false
	begun, err := Open(ctx, c, Options{Partitions: 2, Approve: func(context.Context) error { asked = true; return nil }})
	if err != nil || !asked {
		t.Fatalf("approved: %v, asked: %v", err, asked)
	}
	if l := <-waited; l != begun {
		t.Errorf("who waited has %v, who began %v", l, begun)
	}
}

// What ClickHouse holds and the log does not is refused, whoever reports it.
func TestHistoryThatTheLogLacks(t *testing.T) {
	c, ctx := broker(t), patient(t)
	log, err := Open(ctx, c, Options{Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	history := func(epoch string, seq int64, digest uint64) *schema.LogHistory {
		return &schema.LogHistory{Epoch: epoch, TopicId: log.TopicID[:], Marks: []*schema.HistoryMark{{Partition: 1, Seq: seq, Digest: digest}}}
	}
	for name, test := range map[string]struct {
		h    *schema.LogHistory
		says string
	}{
		"nothing is known":   {nil, ""},
		"as far as the log":  {history(log.Epoch, 0, 0), ""},
		"of another log":     {history("another", 99, 0), ""},
		"more than the log":  {history(log.Epoch, 99, 0), "ClickHouse holds 99 offsets more than the log"},
		"a different record": {history(log.Epoch, 0, 42), "holds a different record"},
	} {
		err := log.CheckHistory(ctx, c, test.h)
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", name, err, test.says)
		}
	}
	if err := WriteHistory(ctx, c, history(log.Epoch, 99, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, c, Options{Await: true}); err == nil || !strings.Contains(err.Error(), "99 offsets more") {
		t.Errorf("a role that cannot ask ClickHouse opens the log: %v", err)
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
