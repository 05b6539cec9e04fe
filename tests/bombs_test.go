package tests

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/parley-chat/parley/schema"
)

// A batch that is small in the log and huge unpacked is passed by every role that reads
// it, as a damaged one.
func TestBombsInTheLog(t *testing.T) {
	c := newCluster(t)
	c.logger = quietLogger
	c.worker()
	c.projector()
	first, second := c.connector(nil).addr, c.connector(nil).addr
	ada, bob := enter(t, first, "ada"), enter(t, second, "bob")
	ada.join("lobby")
	bob.join("lobby")
	bomber, err := kgo.NewClient(kgo.SeedBrokers(c.kafka), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(100<<20), kgo.MaxBufferedBytes(200<<20), kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer bomber.Close()
	for name, bomb := range map[string]*kgo.Record{
		"events":             {Topic: schema.TopicEvents, Partition: int32(lobby()), Key: []byte("lobby")},
		"a beat":             {Topic: schema.TopicControl, Key: []byte(schema.ControlKeyBeat("stranger"))},
		"a revocation":       {Topic: schema.TopicRules, Key: []byte(schema.RulesKeyRevoked("eve"))},
		"an unknown control": {Topic: schema.TopicControl, Key: []byte("unknown/key")},
	} {
		t.Run(name, func(t *testing.T) {
			bomb.Value = make([]byte, 65<<20)
			if err := bomber.ProduceSync(soon(t), bomb).FirstErr(); err != nil {
				t.Fatal(err)
			}
			ada.chat("lobby", name)
			if m := bob.hears(); m.Body != name {
				t.Errorf("bob hears %q", m.Body)
			}
		})
	}
	// Who starts reads all of it.
	c.worker()
	zoe := enter(t, c.connector(nil).addr, "zoe")
	zoe.join("lobby")
	last := ada.chat("lobby", "after all that").Seq
	if m := zoe.hears(); m.Body != "after all that" {
		t.Errorf("zoe hears %q", m.Body)
	}
	c.projected(last)
}
