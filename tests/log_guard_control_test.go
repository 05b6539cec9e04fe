package tests

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// Without parley.control nobody notices connectors that crash: chat workers report
// so, and read the next one from its beginning.
func TestControlIsDeleted(t *testing.T) {
	t.Parallel()
	d := newDamaged(t)
	d.roles["projector"].end()
	<-d.roles["projector"].ended
	if err := admin.DeleteTopic(soon(t), d.log(), schema.TopicControl); err != nil {
		t.Fatal(err)
	}
	worker := d.roles["chatworker"]
	await.That(t, "the chat worker is not ready", func() bool { return !worker.ready() })
	d.doctor("topic parley.control: it is gone, and the log is there")

	d.start("projector") // any role that starts creates the topic
	select {
	case <-worker.ended:
		if worker.err == nil || !strings.Contains(worker.err.Error(), "start this chat worker again") {
			t.Errorf("the chat worker ends with %v", worker.err)
		}
	case <-time.After(patience):
		t.Fatal("the chat worker goes on")
	}
	d.start("chatworker")
	d.ready(everyRole...)
	d.say(5)
}
