package tests

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// parley carries out an operator's command on the cluster.
func (c *cluster) parley(args ...string) (code int, output string) {
	var out bytes.Buffer
	args = append(args, "--kafka", c.kafka, "--clickhouse", c.clickhouse)
	code = cli.Run(args, &out, &out)
	return code, out.String()
}

// must is parley, which has to succeed.
func (c *cluster) must(args ...string) string {
	c.t.Helper()
	code, output := c.parley(args...)
	if code != 0 {
		c.t.Fatalf("parley %s: exit code %d\n%s", strings.Join(args, " "), code, output)
	}
	return output
}

// log opens a client of the cluster's log.
func (c *cluster) log() *eventlog.Client {
	c.t.Helper()
	client, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(client.Close)
	return client
}

// projected waits until ClickHouse has the lobby up to seq.
func (c *cluster) projected(seq int64) {
	c.t.Helper()
	db, err := clickhouse.Open(soon(c.t), c.clickhouse, clickhouse.Options{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer db.Close()
	newest, err := db.NewestEpoch(soon(c.t))
	if err != nil || newest == nil {
		c.t.Fatalf("no epoch in ClickHouse: %v", err)
	}
	await.That(c.t, "the lobby is in ClickHouse", func() bool {
		marks, err := db.Watermarks(soon(c.t), newest.Name)
		return err == nil && marks[schema.PartitionOf("lobby", newest.Partitions)] >= seq
	})
}

// recreateEvents deletes the topic of the events and lets it be there again,
// empty, with that many partitions.
func (c *cluster) recreateEvents(partitions int) {
	c.t.Helper()
	client := c.log()
	if err := admin.DeleteTopic(soon(c.t), client, schema.TopicEvents); err != nil {
		c.t.Fatal(err)
	}
	for _, topic := range schema.Topics(partitions) {
		if topic.Name == schema.TopicEvents {
			err := admin.EnsureTopics(soon(c.t), client, []admin.Topic{{Name: topic.Name, Partitions: topic.Partitions, Config: topic.Config}})
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
}

// markAnew begins a log of another epoch, and writes more than was in the one
// before.
func (c *cluster) markAnew() {
	c.t.Helper()
	producer := c.log().NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	value, err := proto.Marshal(&schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "another", Format: 1, Window: schema.Window}}})
	if err != nil {
		c.t.Fatal(err)
	}
	for p := range schema.LaptopPartitions {
		for range 50 {
			if err := producer.Produce(p, eventlog.Record{Value: value}, nil); err != nil {
				c.t.Fatal(err)
			}
		}
	}
	if err := producer.Flush(soon(c.t)); err != nil {
		c.t.Fatal(err)
	}
}

// refusals starts one of each role and returns the errors with which they give up.
func (c *cluster) refusals() map[string]error {
	c.t.Helper()
	w, err1 := chatworker.New(chatworker.Config{Base: roles.Base{Kafka: c.config("chatworker")}})
	p, err2 := projector.New(projector.Config{Base: roles.Base{Kafka: c.config("projector")}, ClickHouse: c.clickhouse})
	conn, err3 := connector.New(connector.Config{Base: roles.Base{Kafka: c.config("connector")}, ClickHouse: c.clickhouse, Listen: "127.0.0.1:0"})
	if err := errors.Join(err1, err2, err3); err != nil {
		c.t.Fatal(err)
	}
	said := map[string]error{}
	for name, run := range map[string]func(context.Context) error{"chatworker": w.Run, "projector": p.Run, "connector": conn.Run} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		said[name] = run(ctx)
		cancel()
	}
	return said
}

// A new epoch is the way out of a log that was replaced: the roles refuse it,
// the operator begins a new epoch, and earlier messages can be read.
func TestNewEpoch(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	roles := []*role{c.worker(), c.projector()}
	conn := c.connector(nil)
	roles = append(roles, conn)
	ada := enter(t, conn.addr, "ada")
	joined := ada.join("lobby")
	var seqs []int64
	for _, body := range []string{"one", "two", "three"} {
		seqs = append(seqs, ada.chat("lobby", body).Seq)
	}
	if code, said := c.parley("epoch", "new", "--yes"); code != 1 || !strings.Contains(said, "all roles stopped") || !strings.Contains(said, "connector "+ada.hello.Connector) {
		t.Errorf("while roles run: exit code %d, says %s", code, said)
	}
	c.projected(seqs[2])
	for _, r := range slices.Backward(roles) {
		r.stop()
	}
	c.recreateEvents(schema.LaptopPartitions)
	for role, err := range c.refusals() {
		if err == nil || !strings.Contains(err.Error(), "parley epoch new") {
			t.Errorf("the %s on a log that was created again says %v", role, err)
		}
	}
	if code, said := c.parley("epoch", "new"); code != 1 || !strings.Contains(said, "not confirmed") {
		t.Errorf("without a yes: exit code %d, says %s", code, said)
	}
	said := c.must("epoch", "new", "--yes")
	if !strings.Contains(said, "has begun") || !strings.Contains(said, joined.Epoch) {
		t.Errorf("it says %s", said)
	}

	c.worker()
	c.projector()
	again := enter(t, c.connector(nil).addr, "ada")
	if again.hello.Epoch == joined.Epoch {
		t.Fatalf("the epoch is still %s", joined.Epoch)
	}
	recovery := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &seqs[0], Epoch: joined.Epoch})
	if recovery.Recovered == nil || *recovery.Recovered || recovery.Reason != rpc.ReasonEpoch {
		t.Errorf("recovery from the old epoch: %+v", recovery)
	}
	again.chat("lobby", "four")
	page := again.history(rpc.HistoryParams{Channel: "lobby"})
	if got := bodies(page.Messages); !slices.Equal(got, []string{"four"}) || page.Older != joined.Epoch {
		t.Errorf("history in the new epoch: %v, older %q, want older %q", got, page.Older, joined.Epoch)
	}
	old := again.history(rpc.HistoryParams{Channel: "lobby", Epoch: page.Older})
	if got := bodies(old.Messages); !slices.Equal(got, []string{"one", "two", "three"}) || old.Epoch != joined.Epoch {
		t.Errorf("history in the old epoch: %v of %q", got, old.Epoch)
	}
	await.That(t, "all is equal in the new epoch", func() bool {
		code, _ := c.parley("verify")
		return code == 0
	})
}

// started starts one of each role without expecting a good end, and returns
// what they end with.
func (c *cluster) started() map[string]chan error {
	c.t.Helper()
	w, err1 := chatworker.New(chatworker.Config{Base: roles.Base{Kafka: c.config("chatworker")}})
	p, err2 := projector.New(projector.Config{Base: roles.Base{Kafka: c.config("projector")}, ClickHouse: c.clickhouse})
	conn, err3 := connector.New(connector.Config{Base: roles.Base{Kafka: c.config("connector")}, ClickHouse: c.clickhouse, Listen: "127.0.0.1:0"})
	if err := errors.Join(err1, err2, err3); err != nil {
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := map[string]chan error{}
	var running sync.WaitGroup
	for name, run := range map[string]func(context.Context) error{"chatworker": w.Run, "projector": p.Run, "connector": conn.Run} {
		end := make(chan error, 1)
		ended[name] = end
		running.Go(func() { end <- run(ctx) })
	}
	c.t.Cleanup(func() { cancel(); running.Wait() })
	await.That(c.t, "all roles work", func() bool { return ready(c.t, w)() && ready(c.t, p)() && ready(c.t, conn)() })
	return ended
}

// Whatever happens to the log, no role starts on it, each with a way out; and
// those that run notice a topic that was created again.
func TestLogsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		spoil func(*cluster)
	}{
		{"created again", func(c *cluster) { c.recreateEvents(schema.LaptopPartitions) }},
		{"created again with more partitions", func(c *cluster) { c.recreateEvents(schema.LaptopPartitions + 1) }},
		{"created again and longer", func(c *cluster) {
			c.recreateEvents(schema.LaptopPartitions)
			c.markAnew()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cl := newCluster(t)
			roles := cl.started()
			c.spoil(cl)
			for role, ended := range roles {
				select {
				case err := <-ended:
					if err == nil || !strings.Contains(err.Error(), "parley epoch new") {
						t.Errorf("the %s that runs ends with %v", role, err)
					}
					ended <- err
				case <-time.After(patience):
					t.Errorf("the %s that runs goes on", role)
				}
			}
			for role, err := range cl.refusals() {
				if err == nil || !strings.Contains(err.Error(), "parley epoch new") {
					t.Errorf("the %s that is started says %v", role, err)
				}
			}
		})
	}
}
