package tests

import (
	"fmt"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// badRecord is one that somebody with the password of Kafka, or a fault, has put
// into a topic.
type badRecord struct {
	name, topic string
	partition   int
	record      eventlog.Record
}

// badValues cannot be read as a message of any topic.
var badValues = map[string][]byte{
	"noise": []byte("\xff\xfe not a record"), "JSON": []byte(`{"a":1}`), "a tag alone": {0x0a}, "a length beyond the end": {0x0a, 0x7f, 'x'}, "a group without end": {0x0b}, "a varint without end": {0x10, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
	"300 KB of zeros": make([]byte, 300<<10), "text that is not UTF-8": {0x0a, 0x02, 0xff, 0xfe},
}

func badRecords(t *testing.T, connector string) (all []badRecord) {
	t.Helper()
	add := func(topic string, partition int, name, key string, value []byte) {
		r := eventlog.Record{Key: []byte(key), Value: value}
		if key == "" {
			r.Key = nil
		}
		all = append(all, badRecord{topic + ", " + name, topic, partition, r})
	}
	at := lobby()
	for name, value := range badValues {
		add(schema.TopicEvents, at, name, "lobby", value)
		add(schema.TopicControl, 0, "a beat of "+name, schema.ControlKeyBeat("stranger"), value)
		add(schema.TopicControl, 0, "a tick of "+name, schema.ControlKeyTick, value)
		add(schema.TopicRules, 0, "a revocation of "+name, schema.RulesKeyRevoked("eve"), value)
		add(schema.TopicRules, 0, "a bar of "+name, schema.RulesKeyBarred("eve"), value)
		for p := range schema.LaptopPartitions {
			add(schema.TopicPush, p, fmt.Sprintf("partition %d, %s", p, name), connector, value)
		}
	}
	add(schema.TopicEvents, at, "no value", "lobby", nil)
	add(schema.TopicEvents, at, "no key and no value", "", nil)
	add(schema.TopicEvents, at, "no kind", "lobby", encode(t, &schema.Event{Connector: "c", Counter: 1}))
	add(schema.TopicEvents, at, "a second marker", "lobby", encode(t, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "stray", Format: 1, Window: 1}}}))
	add(schema.TopicEvents, at, "a chat of nobody", "lobby", encode(t, &schema.Event{Connector: "stranger", Counter: 1, Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "other", User: "eve", Id: "i", Body: "x"}}}))
	add(schema.TopicEvents, at, "a leave of a session that is not there", "lobby", encode(t, &schema.Event{Connector: "stranger", Counter: 2, Kind: &schema.Event_Leave{Leave: &schema.Leave{Channel: "lobby", User: "eve", Session: "none"}}}))
	add(schema.TopicEvents, at, "the down of a connector that is not there", "lobby", encode(t, &schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: "nobody"}}}))
	add(schema.TopicControl, 0, "an unknown key", "unknown/key", []byte("x"))
	add(schema.TopicControl, 0, "no key", "", []byte("x"))
	add(schema.TopicControl, 0, "a beat without a value", schema.ControlKeyBeat("nobody"), nil)
	add(schema.TopicControl, 0, "a beat with a negative partition", schema.ControlKeyBeat("stranger"), encodeAny(t, &schema.Beat{PushPartition: -1}))
	add(schema.TopicControl, 0, "a beat of a long name", schema.ControlKeyBeat(strings.Repeat("x", 4<<10)), encodeAny(t, &schema.Beat{}))
	add(schema.TopicControl, 0, "a tick of another claim", schema.ControlKeyTick, encodeAny(t, &schema.Tick{Claim: 1 << 60, Number: 1 << 60}))
	add(schema.TopicControl, 0, "what ClickHouse holds, as noise", schema.ControlKeyHistory, []byte("\xff"))
	add(schema.TopicRules, 0, "an unknown key", "unknown/key", []byte("x"))
	add(schema.TopicRules, 0, "no key", "", []byte("x"))
	add(schema.TopicRules, 0, "a grant with a bad pattern", schema.RulesKeyGrant("eve"), encodeAny(t, &schema.UserGrants{Grants: []*schema.Grant{{Channels: []string{"*****"}, Allow: []string{"*"}}}}))
	add(schema.TopicRules, 0, "a bar of a name with a NUL", schema.RulesKeyBarred("a\x00"), encodeAny(t, &schema.Bar{}))
	for p := range schema.LaptopPartitions {
		add(schema.TopicPush, p, fmt.Sprintf("partition %d, a push of nobody's", p), "stranger", []byte("x"))
	}
	return all
}

func encodeAny(t *testing.T, m proto.Message) []byte {
	t.Helper()
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Damaged and foreign records are skipped by every role that reads them: the chat
// goes on, in the same channel, from connector to connector.
func TestBadRecords(t *testing.T) {
	c := newCluster(t)
	c.logger = quietLogger
	c.worker()
	c.projector()
	first, second := c.connector(nil).addr, c.connector(nil).addr
	ada, bob := enter(t, first, "ada"), enter(t, second, "bob")
	ada.join("lobby")
	bob.join("lobby")
	client := c.log()
	producers := map[string]*eventlog.Producer{}
	for _, topic := range []string{schema.TopicEvents, schema.TopicControl, schema.TopicRules, schema.TopicPush} {
		producers[topic] = client.NewProducer(eventlog.ProducerConfig{Topic: topic})
		t.Cleanup(func() { producers[topic].Close() })
	}
	for _, bad := range badRecords(t, bob.hello.Connector) {
		t.Run(bad.name, func(t *testing.T) {
			p := producers[bad.topic]
			if err := p.Produce(bad.partition, bad.record, nil); err != nil {
				t.Fatal(err)
			}
			if err := p.Flush(soon(t)); err != nil {
				t.Fatal(err)
			}
			ada.chat("lobby", bad.name)
			if m := bob.hears(); m.Body != bad.name {
				t.Errorf("bob hears %q", m.Body)
			}
		})
	}
	// Who starts reads all of it.
	c.worker()
	zoe := enter(t, c.connector(nil).addr, "zoe")
	zoe.join("lobby")
	ada.chat("lobby", "after all that")
	if m := zoe.hears(); m.Body != "after all that" {
		t.Errorf("zoe hears %q", m.Body)
	}
}
