package ingest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/schema"
)

// A partition of the log that cannot be written holds the commands for it and those
// after them. Once it can, all are carried out, once and in order; none is rejected.
func TestBadPartitionIsWaitedFor(t *testing.T) {
	for name, refusal := range map[string]*kerr.Error{
		"no leader": kerr.LeaderNotAvailable, "too few replicas": kerr.NotEnoughReplicas, "another leader": kerr.NotLeaderForPartition,
	} {
		t.Run(name, func(t *testing.T) { testAway(t, refusal) })
	}
}

func testAway(t *testing.T, refusal *kerr.Error) {
	fake, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(fake.Close)
	s := newSystemAt(t, fake.ListenAddrs()[0], "clickhouse://127.0.0.1:1/default") // which no message needs
	s.start()
	command := func(partition int, channel string, n int) int64 {
		return s.command(partition, `{"method":"publish","params":{"channel":%q,"user":"ada","body":"%d"}}`, channel, n)
	}
	s.done(0, command(0, "a", 0))
	other := ""
	for n := 0; other == ""; n++ {
		if name := fmt.Sprint("c", n); schema.PartitionOf(name, partitions) != schema.PartitionOf("a", partitions) {
			other = name
		}
	}
	away := fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Topic: schema.TopicEvents, Partitions: []int32{int32(schema.PartitionOf("a", partitions))}, Err: refusal, Count: -1,
	})
	first := command(0, "a", 1)
	last := command(0, "a", 2)
	if err := away.Wait(s.ctx, 3); err != nil {
		t.Fatal(err)
	}
	s.done(1, command(1, other, 0)) // others go on
	if at := s.committed(0); at > first {
		t.Errorf("commands up to %d are carried out, and %d cannot be", at, first)
	}
	away.Remove()
	s.done(0, last)
	var bodies []string
	for _, e := range s.events("a") {
		bodies = append(bodies, e.GetChat().Body)
	}
	if !slices.Equal(bodies, []string{"0", "1", "2"}) {
		t.Errorf("a has %v\n%s", bodies, s.output)
	}
	if found := s.rejections(); len(found) != 0 {
		t.Errorf("%d commands are rejected", len(found))
	}
}
