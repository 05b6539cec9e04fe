package tests

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// Names that can pass for others are refused where they are new. Channels that
// the log has already can be joined and read.
func TestNamesThatPassForOthers(t *testing.T) {
	c := newCluster(t)
	c.worker()
	url := c.connector(nil).addr
	const old, fresh = "lobby\u200b", "lobby\u2060"
	c.append(&schema.Event{Connector: "old", Counter: 1, Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: old, Session: "s", User: "ada\u200b", Id: "1", Body: "from before",
	}}})
	ada := connect(t, url)
	refused := func(want int, method string, params any) {
		t.Helper()
		if code := codeOf(ada.Call(soon(t), method, params, nil)); code != want {
			t.Errorf("%s %+q is answered with %d, want %d", method, params, code, want)
		}
	}
	refused(rpc.CodeInvalidParams, rpc.MethodHello, rpc.HelloParams{User: "ada\u202e"})
	refused(0, rpc.MethodHello, rpc.HelloParams{User: "ada"})
	refused(rpc.CodeInvalidParams, rpc.MethodJoin, rpc.JoinParams{Channel: fresh})
	var r rpc.JoinResult
	if err := ada.Call(soon(t), rpc.MethodJoin, rpc.JoinParams{Channel: old}, &r); err != nil || len(r.Messages) != 1 || r.Messages[0].User != "ada\u200b" {
		t.Errorf("a channel from before: %+v, %v", r, err)
	}
	refused(0, rpc.MethodChat, rpc.ChatParams{Channel: old, Body: "hi"})
	refused(rpc.CodeInvalidParams, rpc.MethodChat, rpc.ChatParams{Channel: old, Body: "hi", To: "bob "})
	refused(0, rpc.MethodLeave, rpc.LeaveParams{Channel: old})

	c.clickhouse = "clickhouse://127.0.0.1:1/default"
	ada = connect(t, c.connector(func(cfg *connector.Config) { cfg.HistoryTime = 0 }).addr)
	refused(0, rpc.MethodHello, rpc.HelloParams{User: "ada"})
	refused(rpc.CodeHistoryUnavailable, rpc.MethodJoin, rpc.JoinParams{Channel: old})
	refused(0, rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"})
}

// append writes an event to its partition of the log.
func (c *cluster) append(e *schema.Event) {
	c.t.Helper()
	value, err := proto.Marshal(e)
	if err != nil {
		c.t.Fatal(err)
	}
	producer := c.log().NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer producer.Close()
	channel := e.GetChat().GetChannel()
	failed := make(chan error, 1)
	info, err := c.log().TopicInfo(soon(c.t), schema.TopicEvents)
	if err == nil {
		err = producer.Produce(schema.PartitionOf(channel, info.Partitions), eventlog.Record{Value: value}, func(_ int64, err error) { failed <- err })
	}
	if err == nil {
		err = <-failed
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// connect opens a session that has not said hello.
func connect(t *testing.T, url string) *client.Client {
	t.Helper()
	c, err := client.Dial(soon(t), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Cut)
	return c
}
