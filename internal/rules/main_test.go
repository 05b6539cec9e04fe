package rules_test

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// world is a broker and a client of it.
type world struct {
	t      *testing.T
	addr   string
	ctx    context.Context
	client *eventlog.Client
}

// newWorld returns a world with the topics of a log, or with none.
func newWorld(t *testing.T, topics bool) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	addr := embeddedtest.Kafka(t)
	client, err := eventlog.New(eventlog.Config{Brokers: []string{addr}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	w := &world{t, addr, ctx, client}
	if topics {
		w.create()
	}
	return w
}

// create creates parley.rules as the roles do.
func (w *world) create() {
	w.t.Helper()
	for _, topic := range epoch.Topics(1, 1) {
		if topic.Name == schema.TopicRules {
			if err := admin.EnsureTopics(w.ctx, w.client, []admin.Topic{topic}); err != nil {
				w.t.Fatal(err)
			}
		}
	}
}

// write writes rules, as operators' commands do.
func (w *world) write(all ...rules.Rule) {
	w.t.Helper()
	if err := rules.Write(w.ctx, w.client, all...); err != nil {
		w.t.Fatal(err)
	}
}

// append appends a record, whatever it holds.
func (w *world) append(key string, value []byte) {
	w.t.Helper()
	p := w.client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicRules})
	defer p.Close()
	if _, err := p.ProduceSync(w.ctx, 0, eventlog.Record{Key: []byte(key), Value: value}); err != nil {
		w.t.Fatal(err)
	}
}

// follow follows the topic until the test ends.
func (w *world) follow(cfg rules.FollowConfig) *rules.Follower {
	w.t.Helper()
	cfg.Kafka = w.client
	f := rules.NewFollower(cfg)
	ctx, cancel := context.WithCancel(w.ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		f.Run(ctx)
	}()
	w.t.Cleanup(func() {
		cancel()
		<-over
	})
	return f
}

// wait waits until something is closed, or true.
func (w *world) wait(what string, closed <-chan struct{}) {
	w.t.Helper()
	select {
	case <-closed:
	case <-w.ctx.Done():
		w.t.Fatalf("waited in vain until %s", what)
	}
}

// bar bars a user for ever, for a reason.
func bar(user, reason string) rules.Rule {
	return rules.Rule{Kind: rules.Barred, Name: user, Value: &schema.Bar{Reason: reason, Time: 1}}
}

func order(user, session string) rules.Rule {
	return rules.Rule{Kind: rules.Ordered, Name: user, Value: &schema.Order{Session: session, Time: 1}}
}

func encoded(t *testing.T, m proto.Message) []byte {
	t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}
