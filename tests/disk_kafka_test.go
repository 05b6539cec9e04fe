package tests

import (
	"errors"
	"testing"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// The disk of a broker of Apache Kafka is full: it stops, nothing is
// acknowledged that is not in the log, and chat goes on once there is space and
// it is started again.
func TestKafkasDiskIsFull(t *testing.T) {
	krafttest.Need(t)
	t.Parallel()
	disk := smallDisk(t, 400*mebibyte)
	kafka, err := kraft.Start(soon(t), kraft.Config{Dir: disk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Kill)
	node := kafka.Nodes[0]
	c := &cluster{t: t, kafka: node.Addr(), clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger}
	c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Rate = -1 }).addr
	ada := enter(t, url, "ada")
	ada.join("lobby")
	spare := fill(t, disk, 4*mebibyte, "spare")
	free := fill(t, disk, 400*mebibyte, "ballast")
	spare()
	said, err := chatUntilRefused(ada)
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Code != rpc.CodeUnavailable {
		t.Fatalf("after %d messages: %v, want error %d", len(said), err, rpc.CodeUnavailable)
	}
	t.Logf("%d messages were acknowledged before the disk was full", len(said))
	await.That(t, "the broker has stopped", func() bool { return !embeddedtest.Running(t, node.PID()) })
	free()
	node.Kill()
	if err := kafka.Restart(soon(t), node); err != nil {
		t.Fatal(err)
	}
	await.That(t, "chat goes on", func() bool {
		s, _, err := client.Enter(soon(t), url, "probe")
		if err == nil {
			s.Cut()
		}
		return err == nil
	})
	again := enter(t, url, "ada")
	again.join("lobby")
	again.chat("lobby", "there is space again")
	c.holds(again, append(said, "there is space again"))
	c.equal()
}
