package tests

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// The projector lags by more than the budget of the tail (PARLEY_TEST_LAG says
// by how many events): who joins gets the newest messages from the log, who was there recovers, chat
// continues, and what only a long read of the log could answer is 1008: the tail
// that ClickHouse lacks is never read without a bound.
func TestJoinWhileTheProjectorLagsFarBehind(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 100 MB of events")
	}
	lag := 250_000
	if n, err := strconv.Atoi(os.Getenv("PARLEY_TEST_LAG")); err == nil {
		lag = n
	}
	c := newCluster(t)
	projector := c.projector() // makes the tables
	url := c.connector(nil).addr
	probe := enter(t, url, "probe")
	c.worker()
	probe.join("before")
	projector.stop()

	quiet, untouched := neighbours("lobby")
	writeLag(t, c, quiet, 1)
	writeLag(t, c, "lobby", lag)
	ada := enter(t, url, "ada")
	ada.join("lobby") // until the worker has caught up, which is not what is asked here
	var a rpc.JoinResult
	await.That(t, "a join brings messages", func() bool { // the log is read for a while only, and the machine may be busy
		ada.leave("lobby")
		began := time.Now()
		a = ada.join("lobby")
		t.Logf("a join with a lag of %d events took %v", lag, time.Since(began))
		return len(a.Messages) > 0
	})
	if !a.More || len(a.Messages) != 50 || !strings.HasPrefix(a.Messages[49].Body, fmt.Sprint("event ", lag-1)) {
		t.Fatalf("more %v, %d messages", a.More, len(a.Messages))
	}
	ada.chat("lobby", "still here")
	ada.hears()
	r := enter(t, url, "bob").joinWith(rpc.JoinParams{Channel: "lobby", Since: &a.Seq, Epoch: a.Epoch})
	if r.Recovered == nil || !*r.Recovered || !slices.Equal(bodies(r.Messages), []string{"still here"}) {
		t.Errorf("recovered %v, %v", r.Recovered, bodies(r.Messages))
	}
	if h := ada.history(rpc.HistoryParams{Channel: "lobby", Before: &a.Messages[0].Seq}); !h.More || len(h.Messages) != 50 {
		t.Errorf("the page before: more %v, %d messages", h.More, len(h.Messages))
	}
	// What edits and deletes these may be anywhere above them.
	for _, h := range []rpc.HistoryParams{{Channel: "lobby", Before: ptr(int64(lag - 50_000))}, {Channel: "lobby", After: ptr(int64(lag - 50_000))}} {
		ada.refused(rpc.CodeHistoryUnavailable, rpc.MethodHistory, h)
	}
	if q := ada.join(quiet); !q.Degraded || !q.More {
		t.Errorf("a channel whose past is followed by %d events of another: degraded %v, more %v", lag, q.Degraded, q.More)
	}
	ada.refused(rpc.CodeHistoryUnavailable, rpc.MethodHistory, rpc.HistoryParams{Channel: quiet, After: ptr(int64(0))})
	if u := ada.join(untouched); u.Degraded || u.More {
		t.Errorf("a channel that has no past: degraded %v, more %v", u.Degraded, u.More)
	}
}

// neighbours are two other channels of the same partition.
func neighbours(channel string) (string, string) {
	var found []string
	for i := 0; len(found) < 2; i++ {
		name := fmt.Sprint("quiet-", i)
		if schema.PartitionOf(name, schema.LaptopPartitions) == schema.PartitionOf(channel, schema.LaptopPartitions) {
			found = append(found, name)
		}
	}
	return found[0], found[1]
}

// writeLag writes chats into a channel as a connector of another life would.
func writeLag(t *testing.T, c *cluster, channel string, events int) {
	t.Helper()
	client, err := eventlog.New(c.config("lag"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	producer := client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	partition, padding := schema.PartitionOf(channel, schema.LaptopPartitions), strings.Repeat(".", 400)
	for i := range events {
		value, err := proto.Marshal(&schema.Event{
			Time: time.Now().UnixMilli(), Connector: "another", Counter: uint64(i + 1),
			Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: channel, User: "zoe", Id: strconv.Itoa(i), Body: fmt.Sprint("event ", i, padding)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		for {
			err := producer.Produce(partition, eventlog.Record{Key: []byte(channel), Value: value}, func(int64, error) {})
			if err == nil {
				break
			}
			if flushed := producer.Flush(soon(t)); flushed != nil {
				t.Fatal(err, flushed)
			}
		}
	}
	if err := producer.Flush(soon(t)); err != nil {
		t.Fatal(err)
	}
}
