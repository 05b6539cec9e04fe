package eventlog

import (
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestEnsureTopicsCreatesAndChecks(t *testing.T) {
	c := startCluster(t).client(t)
	want := Topic{
		Name: newTopic(t, c, 1, nil) + "-other", Partitions: 3, ReplicationFactor: 1,
		Config: map[string]string{"cleanup.policy": "compact", "retention.ms": "-1"},
	}
	ctx := testContext(t)
	for range 2 {
		if err := c.EnsureTopics(ctx, []Topic{want}); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := c.TopicInfo(ctx, want.Name); err != nil || info.Partitions != 3 || info.ID == ([16]byte{}) {
		t.Errorf("TopicInfo says %+v, %v", info, err)
	}

	wrong := want
	wrong.Partitions = 4
	expect(t, c.EnsureTopics(ctx, []Topic{wrong}), TopicError{Topic: want.Name, Setting: "partitions", Have: "3", Want: "4"})
	wrong = want
	wrong.Config = map[string]string{"cleanup.policy": "delete"}
	expect(t, c.EnsureTopics(ctx, []Topic{wrong}), TopicError{Topic: want.Name, Setting: "cleanup.policy", Have: "compact", Want: "delete"})
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
	cl := startCluster(t)
	c, other := cl.client(t), cl.client(t)
	want := Topic{Name: newTopic(t, c, 1, nil) + "-deleted", Partitions: 1, ReplicationFactor: 1, Config: map[string]string{"cleanup.policy": "compact"}}
	for range 8 {
		made := make(chan error, 1)
		go func() { made <- c.EnsureTopics(testContext(t), []Topic{want}) }()
		for range 3 {
			if _, err := other.kafka.DeleteTopics(testContext(t), &kafka.DeleteTopicsRequest{Topics: []string{want.Name}}); err != nil {
				t.Fatal(err)
			}
		}
		if err := <-made; err != nil {
			t.Fatal(err)
		}
	}
}

func TestEnsureTopicsByManyAtOnce(t *testing.T) {
	cl := startCluster(t)
	name := newTopic(t, cl.client(t), 1, nil) + "-raced"
	var work sync.WaitGroup
	for range 5 {
		c := cl.client(t)
		work.Go(func() {
			if err := c.EnsureTopics(testContext(t), []Topic{{Name: name, Partitions: 2, ReplicationFactor: 1}}); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
}

func TestEnsureTopicsNeedsEnoughBrokers(t *testing.T) {
	c := startCluster(t).client(t)
	name := newTopic(t, c, 1, nil) + "-replicated"
	if err := c.EnsureTopics(testContext(t), []Topic{{Name: name, Partitions: 1, ReplicationFactor: 100}}); err == nil {
		t.Error("a topic with 100 replicas was created")
	}
}

func TestUnknownTopic(t *testing.T) {
	c := startCluster(t).client(t)
	if _, err := c.TopicInfo(testContext(t), "test.no.such.topic"); !errors.Is(err, ErrUnknownTopic) {
		t.Errorf("TopicInfo says %v", err)
	}
}

func TestTopicIDChangesWithTheTopic(t *testing.T) {
	c := startCluster(t).client(t)
	topic, p := filled(t, c, 3)
	p.Close()
	before, err := c.TopicInfo(testContext(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	recreate(t, c, topic)
	after, err := c.TopicInfo(testContext(t), topic)
	if err != nil || after.ID == before.ID {
		t.Errorf("id %x became %x, %v", before.ID, after.ID, err)
	}
	if first, end, err := c.Offsets(testContext(t), topic, 0); err != nil || first != 0 || end != 0 {
		t.Errorf("the new log holds [%d, %d), %v", first, end, err)
	}
}

// A hosted cluster may refuse some settings: a topic is created without these,
// and with the others.
func TestTopicWithoutSettingsThatAreRefused(t *testing.T) {
	cl := startFake(t)
	cl.fake.ControlKey(int16(kmsg.CreateTopics), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.fake.KeepControl()
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
	var log lockedBuffer
	c, err := New(Config{Brokers: cl.addrs, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	err = c.EnsureTopics(testContext(t), []Topic{{
		Name: "topic", Partitions: 1, Config: map[string]string{"cleanup.policy": "compact"},
		Initial: map[string]string{"segment.ms": "14400000", "segment.bytes": "52428800", "min.insync.replicas": "2"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	have, err := c.TopicSettings(testContext(t), "topic")
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
