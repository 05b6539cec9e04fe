package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/parley-chat/parley/internal/epoch"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// badCommands are commands that are rejected, with the code that the rejection has.
func badCommands() map[string]struct {
	value string
	code  int
} {
	publish := func(channel string) string {
		return `{"method":"publish","params":{"channel":` + channel + `,"user":"ada","body":"x"}}`
	}
	return map[string]struct {
		value string
		code  int
	}{
		"nothing":                    {"", rpc.CodeParse},
		"no JSON":                    {"hello", rpc.CodeParse},
		"half an object":             {`{"method":"publish"`, rpc.CodeParse},
		"null":                       {"null", rpc.CodeNoMethod},
		"a number":                   {"7", rpc.CodeParse},
		"a batch":                    {"[" + publish(`"a"`) + "]", rpc.CodeParse},
		"a batch in a batch":         {"[[" + publish(`"a"`) + "]]", rpc.CodeParse},
		"two objects":                {publish(`"a"`) + publish(`"a"`), rpc.CodeParse},
		"a member twice":             {`{"method":"publish","method":"edit","params":{}}`, rpc.CodeParse},
		"bytes that are not Unicode": {"{\"method\":\"\xff\"}", rpc.CodeParse},
		"a thousand arrays":          {strings.Repeat("[", 1000) + strings.Repeat("]", 1000), rpc.CodeParse},
		"protobuf":                   {"\x08\x01\x12\x03abc", rpc.CodeParse},
		"no method":                  {`{"params":{}}`, rpc.CodeNoMethod},
		"an unknown method":          {`{"method":"shutdown","params":{}}`, rpc.CodeNoMethod},
		"a method that reads":        {`{"method":"history","params":{"channel":"a"}}`, rpc.CodeNoMethod},
		"a method about users":       {`{"method":"revoke","params":{"user":"ada"}}`, rpc.CodeNoMethod},
		"a client's method":          {`{"method":"chat","params":{"channel":"a","body":"x"}}`, rpc.CodeNoMethod},
		"a method in capitals":       {`{"method":"Publish","params":{"channel":"a","user":"ada","body":"x"}}`, rpc.CodeNoMethod},
		"a batch as params":          {`{"method":"publish","params":[{"channel":"a"}]}`, rpc.CodeInvalidParams},
		"no params":                  {`{"method":"publish"}`, rpc.CodeInvalidParams},
		"a channel that is empty":    {publish(`""`), rpc.CodeInvalidParams},
		"a channel with a NUL":       {publish(`"a\u0000b"`), rpc.CodeInvalidParams},
		"a channel of 129 bytes":     {publish(`"` + strings.Repeat("a", 129) + `"`), rpc.CodeInvalidParams},
		"an invisible channel":       {publish(`"a\u200b"`), rpc.CodeInvalidParams},
		"a channel that is a number": {publish(`7`), rpc.CodeInvalidParams},
		"no user":                    {`{"method":"publish","params":{"channel":"a","body":"x"}}`, rpc.CodeInvalidParams},
		"no body":                    {`{"method":"publish","params":{"channel":"a","user":"ada"}}`, rpc.CodeInvalidParams},
		"a body of 4097 bytes":       {`{"method":"publish","params":{"channel":"a","user":"ada","body":"` + strings.Repeat("x", 4097) + `"}}`, rpc.CodeTooLarge},
		"an id of 65 bytes":          {`{"method":"publish","params":{"channel":"a","user":"ada","body":"x","id":"` + strings.Repeat("i", 65) + `"}}`, rpc.CodeInvalidParams},
		"a reply to what is to come": {`{"method":"publish","params":{"channel":"a","user":"ada","body":"x","reply":1000000}}`, rpc.CodeInvalidParams},
		"an edit of nothing":         {`{"method":"edit","params":{"channel":"a","user":"ada","body":"x","seq":7}}`, rpc.CodeGone},
		"an edit without a user":     {`{"method":"edit","params":{"channel":"a","body":"x","seq":7}}`, rpc.CodeInvalidParams},
		"a pin of nothing":           {`{"method":"pin","params":{"channel":"a","seq":1000000}}`, rpc.CodeGone},
		"an edit in another epoch":   {`{"method":"edit","params":{"channel":"a","user":"ada","body":"x","seq":7,"epoch":"before"}}`, rpc.CodeGone},
		"a mute for 0 ms":            {`{"method":"mute","params":{"channel":"a","user":"eve","for":0}}`, rpc.CodeInvalidParams},
		"a set of nothing":           {`{"method":"set","params":{"channel":"a"}}`, rpc.CodeInvalidParams},
		"a broadcast to nobody":      {`{"method":"broadcast","params":{"channels":[],"user":"ada","body":"x"}}`, rpc.CodeInvalidParams},
		"a broadcast to one twice":   {`{"method":"broadcast","params":{"channels":["a","a"],"user":"ada","body":"x"}}`, rpc.CodeInvalidParams},
		"a broadcast to 1,001": {`{"method":"broadcast","params":{"channels":[` + strings.TrimSuffix(strings.Repeat(`"a",`, 1001), ",") +
			`],"user":"ada","body":"x"}}`, rpc.CodeInvalidParams},
	}
}

// What cannot be carried out is rejected with its reason, whatever it is, and what comes
// after it is carried out.
func TestBadCommands(t *testing.T) {
	s := newSystem(t)
	s.project(time.Millisecond)
	s.start()
	where := map[string]int64{}
	for name, c := range badCommands() {
		where[name] = s.command(0, "%s", c.value)
	}
	where["a tombstone"] = s.record(0, eventlog.Record{Key: []byte("k")})
	headers := []eventlog.Header{{Key: strings.Repeat("h", 100_000), Value: make([]byte, 300_000)}}
	where["an unknown method with huge headers"] = s.record(0, eventlog.Record{Key: make([]byte, 300_000), Value: []byte(`{"method":"x"}`), Headers: headers})
	const large = "more than 1 MiB, compressed"
	where[large] = s.compressed(0, make([]byte, maxCommand+1))
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"after"}}`))
	found := s.rejections()
	for name, offset := range where {
		t.Run(name, func(t *testing.T) {
			want := rpc.CodeParse
			if c, is := badCommands()[name]; is {
				want = c.code
			} else if name == large {
				want = rpc.CodeTooLarge
			} else if name != "a tombstone" {
				want = rpc.CodeNoMethod
			}
			r, is := found[fmt.Sprintf("0/%d", offset)]
			if !is || header(&r, headerCode) != fmt.Sprint(want) || header(&r, headerReason) == "" {
				t.Errorf("it is rejected: %v, with %s %s, want %d", is, header(&r, headerCode), header(&r, headerReason), want)
			}
		})
	}
	if len(found) != len(where) {
		t.Errorf("%d of %d are rejected", len(found), len(where))
	}
	if all := s.events("a"); len(all) != 1 || all[0].GetChat().Body != "after" {
		t.Errorf("a has %d events", len(all))
	}
	if n := strings.Count(s.output.String(), "a command is rejected"); n == 0 || n > len(where)/2 {
		t.Errorf("%d rejections of %d are logged", n, len(where))
	}
}

// compressed writes a command that is larger than brokers take, and compresses well.
func (s *system) compressed(partition int32, value []byte) (offset int64) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.addr), kgo.ProducerBatchMaxBytes(4<<20), kgo.ProducerBatchCompression(kgo.GzipCompression()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		s.t.Fatal(err)
	}
	defer client.Close()
	r, err := client.ProduceSync(s.ctx, &kgo.Record{Topic: schema.TopicCommands, Partition: partition, Value: value}).First()
	if err != nil {
		s.t.Fatal(err)
	}
	return r.Offset
}

// Where rejections cannot be written they are waited with, and none is left out.
func TestRejectionsWait(t *testing.T) {
	s := newSystem(t)
	s.start()
	first := s.command(0, "one")
	s.done(0, first)
	if err := admin.DeleteTopic(s.ctx, s.kafka, schema.TopicRejected); err != nil {
		t.Fatal(err)
	}
	second := s.command(0, "two")
	s.done(1, s.command(1, `{"method":"publish","params":{"channel":"a","user":"ada","body":"elsewhere"}}`))
	if s.committed(0) > second {
		t.Error("a rejection that is nowhere is committed")
	}
	if err := admin.EnsureTopics(s.ctx, s.kafka, epoch.Topics(partitions, 1)); err != nil {
		t.Fatal(err)
	}
	s.done(0, second)
	if _, is := s.rejections()[fmt.Sprintf("0/%d", second)]; !is {
		t.Errorf("the rejection is not there\n%s", s.output)
	}
}

// Commands that were deleted while nobody read them are counted and logged, and what is
// there is carried out.
func TestDeletedBeforeTheyWereRead(t *testing.T) {
	s := newSystem(t)
	stop := s.start()
	s.done(0, s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"before"}}`))
	stop()
	first := s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"deleted"}}`)
	last := s.command(0, `{"method":"publish","params":{"channel":"a","user":"ada","body":"after"}}`)
	embeddedtest.DeleteRecords(t, s.addr, schema.TopicCommands, 0, last)
	s.start()
	s.done(0, last)
	if says := fmt.Sprintf("ingest goes on with the oldest that is there\" partition=0 from=%d to=%d", first, last); !s.contains(says) {
		t.Errorf("it is not said: %s\n%s", says, s.output)
	}
	if all := s.events("a"); len(all) != 2 || all[1].GetChat().Body != "after" {
		t.Errorf("a has %d messages", len(all))
	}
}

// Names are names, whatever they look like elsewhere.
func TestNamesWithSlashes(t *testing.T) {
	s := newSystem(t)
	s.start()
	names := []string{"a/b", "../etc", "..", "/", "%00", "a%2Fb", "a?b&c", "späti ☕", `"quoted"`}
	var last int64
	for _, name := range names {
		last = s.command(2, `{"method":"publish","params":{"channel":%q,"user":%q,"body":"x"}}`, name, name)
	}
	s.done(2, last)
	for _, name := range names {
		if all := s.events(name); len(all) != 1 || all[0].GetChat().User != name {
			t.Errorf("%q has %d messages", name, len(all))
		}
	}
}

// A command may be anything: it has acts with ids or is refused, and what it weighs does
// not depend on the settings.
func FuzzDecode(f *testing.F) {
	for _, c := range badCommands() {
		f.Add([]byte(c.value))
	}
	f.Add([]byte(`{"method":"broadcast","params":{"channels":["a","b"],"user":"ada","body":"x"}}`))
	f.Add([]byte(`{"method":"ban","params":{"channel":"a","user":"eve","for":1,"purge":0}}`))
	wide := decoder{key: "k", limits: &rpc.Limits{Body: 4096, Data: 4096}}
	narrow := decoder{key: "k", limits: &rpc.Limits{Body: 1, Data: 1}}
	f.Fuzz(func(t *testing.T, value []byte) {
		rec := eventlog.Record{Value: value}
		c, bad := wide.decode(0, &rec)
		if (bad == nil) != (len(c.acts) > 0) || len(c.acts) > c.weight {
			t.Fatalf("%d acts that weigh %d, and %v", len(c.acts), c.weight, bad)
		}
		for i := range c.acts {
			if act, is := c.acts[i].Event.Act(); !is || act.ID == "" || !act.Backend {
				t.Fatalf("it acts as %+v", act)
			}
		}
		if other, _ := narrow.decode(0, &rec); other.weight != c.weight {
			t.Fatalf("it weighs %d, and %d with other settings", c.weight, other.weight)
		}
	})
}
