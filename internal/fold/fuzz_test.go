package fold

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// A checkpoint of anything is refused, or is a fold that goes on and can be saved.
func FuzzRestore(f *testing.F) {
	marshal := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
	marker := marshal(&schema.StateMarker{Epoch: "e", TopicId: make([]byte, 16), Format: 1, Next: 5})
	f.Add(schema.StateKeyMarker, marker, schema.StateKeyMember("s", "a"), marshal(&schema.StateMember{User: "u", Connector: "c"}))
	f.Add(schema.StateKeyMarker, marker, schema.StateKeyConnector("c"), marshal(&schema.StateConnector{PushPartition: -1, Offset: 9}))
	f.Add(schema.StateKeyChannel("a"), marshal(&schema.StateChannel{Last: -7}), schema.StateKeyMarker, []byte("\xff"))
	by := &schema.Author{By: &schema.Author_User{User: "u"}}
	f.Add(schema.StateKeyPins("a"), marshal(&schema.StatePins{Seq: 1 << 50, By: by, Targets: []int64{-1, -1}}), schema.StateKeySettings("a"), marshal(&schema.StateSettings{Slow: -1}))
	f.Add(schema.StateKeySanction("a", "u"), marshal(&schema.StateSanction{Ban: &schema.InForce{Until: -1}}), schema.StateKeyInfo("a", "u"), marshal(&schema.StateInfo{}))
	f.Add(schema.StateKeyMarker, marker, schema.StateKeyWatch("c", "a"), marshal(&schema.StateWatch{Offset: 1}))
	f.Fuzz(func(t *testing.T, key1 string, value1 []byte, key2 string, value2 []byte) {
		c := NewCheckpoint()
		c.Put(Record{Key: key1, Value: value1})
		c.Put(Record{Key: schema.StateKeyConnector("c"), Value: marshalled})
		c.Put(Record{Key: key2, Value: value2})
		fold, err := Restore(Log{Epoch: "e", Window: 8}, c)
		if err != nil {
			return
		}
		next := max(1, fold.Next()) // at 0 every log has its marker
		if next > 1<<40 {
			return
		}
		for i := range int64(3) {
			e := &schema.Event{Connector: "d", Counter: uint64(i) + 1, Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", Session: "s", User: "u", Id: "i", Body: "b"}}}
			if _, err := fold.Apply(next+i, e); err != nil {
				return
			}
		}
		if _, err := fold.Flush(1); err != nil {
			t.Errorf("%q %x, %q %x: it cannot be saved: %v", key1, value1, key2, value2, err)
		}
	})
}

var marshalled = func() []byte {
	b, err := proto.Marshal(&schema.StateConnector{PushPartition: 1})
	if err != nil {
		panic(err)
	}
	return b
}()
