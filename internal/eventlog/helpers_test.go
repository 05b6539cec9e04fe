package eventlog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

func TestMain(m *testing.M) { krafttest.Main(m) }

// cluster is what a test talks to.
type cluster struct {
	addrs []string
	fake  *kfake.Cluster // nil when it is a real one
}

// startCluster starts a fake cluster or, where krafttest is asked for, takes
// Apache Kafka.
func startCluster(t testing.TB, opts ...kfake.Opt) cluster {
	t.Helper()
	if krafttest.Asked() {
		return cluster{addrs: []string{krafttest.Broker(t)}}
	}
	return startFake(t, opts...)
}

// startFake starts a fake cluster, for tests that reach into the broker.
func startFake(t testing.TB, opts ...kfake.Opt) cluster {
	t.Helper()
	opts = append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)
	fake, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	return cluster{addrs: fake.ListenAddrs(), fake: fake}
}

// client returns a client that is closed with the test.
func (c cluster) client(t testing.TB) *Client {
	t.Helper()
	client, err := New(Config{Brokers: c.addrs, ClientID: "test", Logger: testLogger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// testLogger shows what is logged when a test fails.
func testLogger(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(w.stop)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

func (w *testWriter) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.t = nil
}

// testContext ends well after anything a test does.
func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), await.Limit)
	t.Cleanup(cancel)
	return ctx
}

// newTopic creates a topic of its own for a test.
func newTopic(t testing.TB, c *Client, partitions int, config map[string]string) string {
	t.Helper()
	name := fmt.Sprintf("test.%s.%d", strings.NewReplacer("/", ".", " ", "_").Replace(t.Name()), time.Now().UnixNano())
	spec := kafka.TopicConfig{Topic: name, NumPartitions: partitions, ReplicationFactor: 1}
	for setting, value := range config {
		spec.ConfigEntries = append(spec.ConfigEntries, kafka.ConfigEntry{ConfigName: setting, ConfigValue: value})
	}
	if err := createTopic(testContext(t), c, spec); err != nil {
		t.Fatal(err)
	}
	return name
}

// createTopic creates a topic unless there is one, and waits until it is led.
func createTopic(ctx context.Context, c *Client, spec kafka.TopicConfig) error {
	for {
		err := c.Retry(ctx, func() error {
			res, err := c.kafka.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{spec}})
			if err == nil {
				err = res.Errors[spec.Topic]
			}
			if errors.Is(err, kafka.TopicAlreadyExists) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
		// Kafka says that a topic exists until it has deleted it.
		if _, err := c.TopicInfo(ctx, spec.Topic); !errors.Is(err, ErrUnknownTopic) {
			return err
		}
	}
}

// newProducer returns a producer that is closed with the test.
func newProducer(t testing.TB, c *Client, cfg ProducerConfig) *Producer {
	t.Helper()
	p := c.NewProducer(cfg)
	t.Cleanup(func() { p.Close() })
	return p
}

// ack is what a callback got.
type ack struct {
	offset int64
	err    error
}

// produceOne writes one record and waits for its acknowledgement.
func produceOne(t testing.TB, p *Producer, partition int, rec Record) int64 {
	t.Helper()
	done := make(chan ack, 1)
	if err := p.Produce(partition, rec, func(offset int64, err error) { done <- ack{offset, err} }); err != nil {
		t.Fatal(err)
	}
	select {
	case a := <-done:
		if a.err != nil {
			t.Fatal(a.err)
		}
		return a.offset
	case <-testContext(t).Done():
		t.Fatal("no acknowledgement")
		return 0
	}
}

// readAll reads values until it has n.
func readAll(t testing.TB, r *Reader, n int) []Record {
	t.Helper()
	var records []Record
	for ctx := testContext(t); len(records) < n; {
		batch, err := r.Next(ctx)
		if err != nil {
			t.Fatalf("after %d of %d records: %v", len(records), n, err)
		}
		records = append(records, batch.Records...)
	}
	return records
}

// newReader returns a reader that is closed with the test.
func newReader(t testing.TB, c *Client, cfg ReaderConfig) *Reader {
	t.Helper()
	r := c.NewReader(cfg)
	t.Cleanup(func() { r.Close() })
	return r
}
