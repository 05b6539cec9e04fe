package admin

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

func TestMain(m *testing.M) { krafttest.Main(m) }

// broker starts a fake broker or, where krafttest is asked for, takes Apache
// Kafka.
func broker(t *testing.T) string {
	t.Helper()
	if krafttest.Asked() {
		return krafttest.Broker(t)
	}
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return fake.ListenAddrs()[0]
}

// client returns a client that is closed with the test.
func client(t *testing.T, addr string) *eventlog.Client {
	t.Helper()
	c, err := eventlog.New(eventlog.Config{Brokers: []string{addr}, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// newName is of a topic that is the test's own.
func newName(t *testing.T) string { return fmt.Sprintf("test.%s.%d", t.Name(), time.Now().UnixNano()) }

func TestEnsureTopicsCreatesAndChecks(t *testing.T) {
	c := client(t, broker(t))
	want := Topic{
		Name: newName(t) + "-other", Partitions: 3, ReplicationFactor: 1,
		Config: map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"},
	}
	ctx := t.Context()
	for range 2 {
		if err := EnsureTopics(ctx, c, []Topic{want}); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := c.TopicInfo(ctx, want.Name); err != nil || info.Partitions != 3 || info.ID == ([16]byte{}) {
		t.Errorf("TopicInfo says %+v, %v", info, err)
	}

	wrong := want
	wrong.Partitions = 4
	expect(t, EnsureTopics(ctx, c, []Topic{wrong}), TopicError{Topic: want.Name, Setting: "partitions", Have: "3", Want: "4"})
	wrong = want
	wrong.Config = map[string]string{"cleanup.policy": "delete"}
	expect(t, EnsureTopics(ctx, c, []Topic{wrong}), TopicError{Topic: want.Name, Setting: "cleanup.policy", Have: "compact", Want: "delete"})
}

func expect(t *testing.T, err error, want TopicError) {
	t.Helper()
	var got *TopicError
	if !errors.As(err, &got) {
		t.Fatalf("got %v, want %v", err, &want)
	}
	if want.tool = got.tool; *got != want {
		t.Errorf("got %v, want %v", err, &want)
	}
	if want.Setting != partitionsSetting && !strings.Contains(err.Error(), "kafka-configs.sh --bootstrap-server 127.0.0.1:") {
		t.Errorf("%q does not say which cluster the command is for", err)
	}
}

// A topic that is deleted while it is looked at or made is made again: Kafka
// takes a while to delete, and reports until then that it exists.
func TestEnsureTopicsOutlivesDeletions(t *testing.T) {
	at := broker(t)
	c, other := client(t, at), client(t, at)
	want := Topic{Name: newName(t) + "-deleted", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{"cleanup.policy": "compact"}}
	for range 8 {
		made := make(chan error, 1)
		go func() { made <- EnsureTopics(t.Context(), c, []Topic{want}) }()
		for range 3 {
			if _, err := other.Kafka().DeleteTopics(t.Context(), &kafka.DeleteTopicsRequest{Topics: []string{want.Name}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-made; err != nil {
			t.Fatal(err)
		}
	}
}

func TestEnsureTopicsByManyAtOnce(t *testing.T) {
	at := broker(t)
	name := newName(t) + "-raced"
	var work sync.WaitGroup
	for range 5 {
		c := client(t, at)
		work.Go(func() {
			if err := EnsureTopics(t.Context(), c, []Topic{{Name: name, Partitions: 2, ReplicationFactor: 1}}); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
}

func TestEnsureTopicsNeedsEnoughBrokers(t *testing.T) {
	c := client(t, broker(t))
	name := newName(t) + "-replicated"
	if err := EnsureTopics(t.Context(), c, []Topic{{Name: name, Partitions: 1, ReplicationFactor: 100}}); err == nil {
		t.Error("a topic with 100 replicas was created")
	}
}

// A hosted cluster may refuse some settings: a topic is created without these,
// and with the others.
func TestTopicWithoutSettingsThatAreRefused(t *testing.T) {
	cl, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	cl.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.KeepControl()
		topic := &req.(*kmsg.CreateTopicsRequest).Topics[0]
		for _, c := range topic.Configs {
			if c.Name == "segment.ms" || c.Name == "segment.bytes" {
				res := req.ResponseKind().(*kmsg.CreateTopicsResponse)
				one := kmsg.NewCreateTopicsResponseTopic()
				one.Topic, one.ErrorCode = topic.Topic, kerr.PolicyViolation.Code
				res.Topics = append(res.Topics, one)
				return res, nil, true
			}
		}
		return nil, nil, false
	})
	var log bytes.Buffer // of EnsureTopics, in this goroutine
	c, err := eventlog.New(eventlog.Config{Brokers: cl.ListenAddrs(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = EnsureTopics(t.Context(), c, []Topic{{
		Name: "topic", Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"},
		Initial: map[string]string{"segment.ms": "14400000", "segment.bytes": "52428800", "min.insync.replicas": "2"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	have, err := TopicSettings(t.Context(), c, "topic")
	if err != nil {
		t.Fatal(err)
	}
	if have["cleanup.policy"].Value != "compact" || have["min.insync.replicas"].Value != "2" || have["segment.ms"].Own || have["segment.bytes"].Own {
		t.Errorf("the topic has %v", have)
	}
	if said := log.String(); !strings.Contains(said, "segment.ms:14400000") || strings.Contains(said, "min.insync") {
		t.Errorf("it says %q", said)
	}
}
