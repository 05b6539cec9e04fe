package tests

import (
	"encoding/json"
	"testing"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ops/format"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// olderLog begins the log of a cluster as a parley does that knows format 1 alone.
func (c *cluster) olderLog(partitions int) {
	c.t.Helper()
	c.beginLog(partitions, 1)
}

// beginLog begins the log of a cluster in a format.
func (c *cluster) beginLog(partitions int, format int32) {
	c.t.Helper()
	kafka := c.client()
	if err := admin.EnsureTopics(soon(c.t), kafka, epoch.Topics(partitions, 1)); err != nil {
		c.t.Fatal(err)
	}
	p := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	defer p.Close()
	marker := encodeAny(c.t, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "older", Format: format, Window: schema.Window}}})
	for i := range partitions {
		if _, err := p.ProduceSync(soon(c.t), i, eventlog.Record{Value: marker}); err != nil {
			c.t.Fatal(err)
		}
	}
}

func (c *cluster) client() *eventlog.Client {
	c.t.Helper()
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(kafka.Close)
	return kafka
}

// What came with format 2 is refused until the log is raised, and is taken soon
// after, also in a channel where nothing happens: by connectors that run, and by
// those that start later.
func TestFormatIsRaisedUnderSessions(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.olderLog(3)
	c.worker()
	c.projector()
	running := c.connector(nil)
	ada := enter(t, running.addr, "ada")
	ada.join("quiet")
	sent := ada.chat("quiet", "hello")
	acts := map[string]any{
		rpc.MethodEdit:   rpc.EditParams{Channel: "quiet", Seq: sent.Seq, Body: "better"},
		rpc.MethodReact:  rpc.ReactParams{Channel: "quiet", Seq: sent.Seq, Name: "👍"},
		rpc.MethodDelete: rpc.DeleteParams{Channel: "quiet", Seq: sent.Seq},
	}
	structured := rpc.ChatParams{Channel: "quiet", Body: "hello", Type: "poll"}
	for method, params := range acts {
		if got := ada.outcome(method, params); got != "-32601" {
			t.Errorf("in format 1, %s is answered with %q", method, got)
		}
	}
	if got := ada.outcome(rpc.MethodChat, structured); got != "-32602" {
		t.Errorf("in format 1, a chat with a type is answered with %q", got)
	}
	if done, err := format.Raise(soon(t), c.client(), 2); err != nil || done.Partitions != 3 {
		t.Fatalf("%+v, %v", done, err)
	}
	await.That(t, "a connector that runs knows the format", func() bool {
		return ada.outcome(rpc.MethodEdit, acts[rpc.MethodEdit]) == ""
	})
	bob := enter(t, c.connector(nil).addr, "bob")
	bob.join("quiet")
	if got := bob.outcome(rpc.MethodReact, acts[rpc.MethodReact]); got != "" {
		t.Errorf("a connector that starts after the raise answers with %q", got)
	}
	for _, method := range []string{rpc.MethodReact, rpc.MethodDelete} {
		if got := ada.outcome(method, acts[method]); got != "" {
			t.Errorf("in format 2, %s is answered with %q", method, got)
		}
	}
	if got := ada.outcome(rpc.MethodChat, structured); got != "" {
		t.Errorf("in format 2, a chat with a type is answered with %q", got)
	}
}

// A user who may no longer join leaves as one whose connection closed until the log
// is raised: older readers know no other reason.
func TestForcedLeaveAndItsReason(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.olderLog(1)
	c.worker()
	url := c.connector(authenticated(nil)).addr
	lobby := allowing("lobby", `"*"`)
	bob := granted(t, url, "bob", lobby)
	bob.join("lobby")
	reason := func() string {
		t.Helper()
		ada := granted(t, url, "ada", lobby) // a session takes few tokens at once
		defer ada.Cut()
		ada.join("lobby")
		ada.call(rpc.MethodHello, rpc.HelloParams{Token: grantsToken(t, "ada", allowing("elsewhere", `"*"`))}, nil)
		var left rpc.LeftPush
		if err := json.Unmarshal(bob.sees(rpc.PushLeft).Params, &left); err != nil || left.User != "ada" {
			t.Fatalf("bob sees %+v leave, %v", left, err)
		}
		return left.Reason
	}
	if got := reason(); got != rpc.LeftDisconnect {
		t.Errorf("in format 1, ada leaves with %q", got)
	}
	if _, err := format.Raise(soon(t), c.client(), 2); err != nil {
		t.Fatal(err)
	}
	if got := reason(); got != "forbidden" { // ada's own join has told the connector
		t.Errorf("in format 2, ada leaves with %q", got)
	}
}
