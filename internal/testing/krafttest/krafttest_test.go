package krafttest_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

func TestMain(m *testing.M) { krafttest.Main(m) }

// client returns one that keeps no connections after the test.
func client(t *testing.T, addrs ...string) *kafka.Client {
	transport := &kafka.Transport{Dial: (&net.Dialer{}).DialContext, MetadataTTL: 50 * time.Millisecond}
	t.Cleanup(transport.CloseIdleConnections)
	return &kafka.Client{Addr: kafka.TCP(addrs...), Timeout: 10 * time.Second, Transport: transport}
}

// topics asks until the broker has time to answer.
func topics(t *testing.T, c *kafka.Client) (names []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	meta, err := c.Metadata(ctx, &kafka.MetadataRequest{})
	for err != nil && ctx.Err() == nil {
		meta, err = c.Metadata(ctx, &kafka.MetadataRequest{})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, topic := range meta.Topics {
		names = append(names, topic.Name)
	}
	return names
}

func create(t *testing.T, c *kafka.Client, topic kafka.TopicConfig) {
	t.Helper()
	res, err := c.CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = res.Errors[topic.Topic]
	}
	if err != nil {
		t.Fatal(err)
	}
}

// The second test gets the broker of the first, without its topics.
func TestABrokerIsReusedEmpty(t *testing.T) {
	var first string
	t.Run("first", func(t *testing.T) {
		first = krafttest.Broker(t)
		create(t, client(t, first), kafka.TopicConfig{Topic: "left", NumPartitions: 3, ReplicationFactor: 1})
	})
	t.Run("second", func(t *testing.T) {
		second := krafttest.Broker(t)
		if second != first {
			t.Errorf("another broker, at %s instead of %s", second, first)
		}
		if left := topics(t, client(t, second)); len(left) != 0 {
			t.Errorf("%v are left", left)
		}
	})
}

// A cluster of three keeps everything three times, and its nodes can be killed,
// stopped, paused and started again.
func TestClusterOfThree(t *testing.T) {
	c := krafttest.Start(t, kraft.Config{Nodes: 3})
	k := client(t, c.Brokers()...)
	create(t, k, kafka.TopicConfig{Topic: "t", NumPartitions: 1, ReplicationFactor: -1})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	inSync := func(n int) {
		t.Helper()
		for ctx.Err() == nil {
			meta, err := k.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{"t"}})
			if err == nil && len(meta.Topics[0].Partitions) == 1 && len(meta.Topics[0].Partitions[0].Isr) == n {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Fatalf("there are never %d replicas in sync", n)
	}
	inSync(3)
	c.Nodes[0].Kill()
	inSync(2)
	if err := c.Restart(ctx, c.Nodes[0]); err != nil {
		t.Fatal(err)
	}
	inSync(3)
	if err := c.Nodes[1].Pause(); err != nil {
		t.Fatal(err)
	}
	inSync(2)
	if err := c.Nodes[1].Resume(); err != nil {
		t.Fatal(err)
	}
	inSync(3)
	if err := c.Nodes[2].Stop(ctx); err != nil {
		t.Fatal(err)
	}
	inSync(2)
}
