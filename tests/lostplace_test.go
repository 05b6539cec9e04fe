package tests

import (
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/tests/client"
)

// A connector that lost its place takes sessions again at once: it does not wait
// for earlier clients that do not read, or are gone.
func TestLostPlaceIsNotHeldUpBySilentClients(t *testing.T) {
	c := newCluster(t)
	c.logger = quietLogger
	c.worker()
	url := c.connector(nil).addr
	const linger = 2 * time.Second // what the server gives such a client at least
	for range 3 {
		silent, _, err := websocket.DefaultDialer.DialContext(soon(t), url, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer silent.Close()
		ada := enter(t, url, "ada")
		ada.join("lobby")
		began := time.Now()
		c.losePush(ada.hello.Connector)
		<-ada.Done()
		await.That(t, "a session is had again", func() bool {
			again, hello, err := client.Enter(soon(t), url, "ada")
			if err != nil {
				return false
			}
			defer again.Cut()
			return hello.Connector != ada.hello.Connector
		})
		if took := time.Since(began); took < linger {
			return
		}
	}
	t.Errorf("three times no session was had for %v", linger)
}

// losePush has a connector find that a push was lost: there is one that follows
// another that never came.
func (c *cluster) losePush(connector string) {
	c.t.Helper()
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer kafka.Close()
	info, err := kafka.TopicInfo(soon(c.t), schema.TopicPush)
	if err != nil {
		c.t.Fatal(err)
	}
	value, err := proto.Marshal(&schema.Push{Connector: connector, Offset: 1 << 40, PrevOffset: 1 << 39, Format: 1})
	if err != nil {
		c.t.Fatal(err)
	}
	producer := kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicPush})
	defer producer.Close()
	for p := range info.Partitions {
		if _, err := producer.ProduceSync(soon(c.t), p, eventlog.Record{Key: []byte(connector), Value: value}); err != nil {
			c.t.Fatal(err)
		}
	}
}
