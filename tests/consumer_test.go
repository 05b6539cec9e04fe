package tests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

const (
	consumerFolder     = root + "/examples/python-consumer"
	consumerPartitions = 3
	consumerWindow     = 16 // narrow, so that events fall out of it
)

// python installs what the example asks for beside the test binaries and
// compiles the schema, as its README says. It returns the folder to run in.
func python(t *testing.T) (folder string, environment []string) {
	t.Helper()
	if out, err := exec.Command("python3", "-m", "pip", "--version").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("Python with pip is needed: %v: %s", err, out)
		}
		t.Skip("the example in Python needs Python 3 with pip")
	}
	packages, err := pythonPackages()
	if err != nil {
		t.Fatal(err)
	}
	environment = append(os.Environ(), "PYTHONPATH="+packages, "PYTHONDONTWRITEBYTECODE=1")
	folder = t.TempDir()
	if err := os.CopyFS(folder, os.DirFS(consumerFolder)); err != nil {
		t.Fatal(err)
	}
	schemas, err := filepath.Abs(root + "/schema")
	if err != nil {
		t.Fatal(err)
	}
	run(t, folder, environment, "-m", "grpc_tools.protoc", "-I", schemas, "--python_out=.", "events.proto")
	return folder, environment
}

// pythonPackages is a folder with what the example asks for, which is installed once:
// of several tests that do so at once, one would see a part of it.
var pythonPackages = sync.OnceValues(func() (string, error) {
	packages, err := filepath.Abs(root + "/bin/test/python")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(filepath.Join(packages, "confluent_kafka")); err == nil {
		return packages, nil
	}
	_, said, err := tryRun(consumerFolder, nil, "-m", "pip", "install", "-q", "--target", packages, "-r", "requirements.txt")
	if err != nil {
		return "", fmt.Errorf("install what the example in Python asks for: %w: %s", err, said)
	}
	return packages, nil
})

// run runs Python and returns what it printed, on stdout and stderr.
func run(t *testing.T, folder string, environment []string, args ...string) (stdout, stderr string) {
	t.Helper()
	stdout, stderr, err := tryRun(folder, environment, args...)
	if err != nil {
		t.Fatalf("python3 %s: %v: %s", strings.Join(args, " "), err, stderr)
	}
	return stdout, stderr
}

func tryRun(folder string, environment []string, args ...string) (stdout, stderr string, err error) {
	var out, said bytes.Buffer
	cmd := exec.Command("python3", args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, environment, &out, &said
	err = cmd.Run()
	return out.String(), said.String(), err
}

// line is what the example prints and what these tests look at.
type line struct {
	Partition   int    `json:"partition"`
	Offset      int64  `json:"offset"`
	Kind        string `json:"kind"`
	Channel     string `json:"channel"`
	Body        string `json:"body"`
	Reason      any    `json:"reason"`
	Traceparent string `json:"traceparent"`
}

func lines(t *testing.T, text string) (all []line) {
	t.Helper()
	for l := range strings.Lines(text) {
		var one line
		if err := json.Unmarshal([]byte(l), &one); err != nil {
			t.Fatalf("%q: %v", l, err)
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b line) int {
		if a.Partition != b.Partition {
			return a.Partition - b.Partition
		}
		return int(a.Offset - b.Offset)
	})
	return all
}

// The consumer in Python reads a log as the rules in Go do: the same events,
// none that is void, none that is corrupt, from wherever it starts.
func TestPythonConsumerReadsAsWeDo(t *testing.T) {
	t.Parallel()
	folder, environment := python(t)
	c := &cluster{t: t, kafka: embeddedtest.Kafka(t), logger: quietLogger}
	random := rand.New(rand.NewPCG(6, 8))
	log := newExampleLog(c)
	log.raise()
	log.write(random, 400)
	args := []string{"consumer.py", "--brokers", c.kafka, "--once", "--positions", "positions.json"}
	printed, said := run(t, folder, environment, args...)
	all := log.meant(t)
	if got := lines(t, printed); !slices.Equal(got, all) {
		t.Errorf("it prints %d events, %d are meant\n%s", len(got), len(all), firstDifference(got, all))
	}
	if n := strings.Count(said, "offset "); n != log.corrupt {
		t.Errorf("it names %d corrupt records of %d:\n%s", n, log.corrupt, said)
	}

	log.write(random, 400)
	printed, _ = run(t, folder, environment, args...)
	more := slices.DeleteFunc(log.meant(t), func(l line) bool { return slices.Contains(all, l) })
	if got := lines(t, printed); !slices.Equal(got, more) {
		t.Errorf("continued, it prints %d events, %d are meant\n%s", len(got), len(more), firstDifference(got, more))
	}
	printed, _ = run(t, folder, environment, "consumer.py", "--brokers", c.kafka, "--once", "--channel", "c1")
	for _, l := range lines(t, printed) {
		if l.Channel != "c1" {
			t.Errorf("asked for c1, it prints %+v", l)
		}
	}
}

// It stops where a reader must, with a sentence.
func TestPythonConsumerRefuses(t *testing.T) {
	t.Parallel()
	folder, environment := python(t)
	for name, c := range map[string]struct {
		value []byte
		want  string
	}{
		"an unknown kind": {protowire.AppendBytes(protowire.AppendTag(nil, 60, protowire.BytesType), []byte("x")), "event kind 60"},
		"a newer format":  {encode(t, &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: schema.NewestFormat + 1}}}), "format 3"},
		"an act too new":  {encode(t, &schema.Event{Connector: "k", Counter: 1, Kind: &schema.Event_Change{Change: &schema.Change{Channel: "c", User: "u", Author: "u", Id: "i", Target: 1}}}), "a change that format 2 does not know"},
		"format 2 early":  {encode(t, &schema.Event{Connector: "k", Counter: 1, Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "c", User: "u", Id: "i", Body: "b", Type: "t"}}}), "format 2 where format 1 is in force"},
		"another epoch":   {nil, "is about epoch other"},
	} {
		t.Run(name, func(t *testing.T) {
			cl := &cluster{t: t, kafka: embeddedtest.Kafka(t), logger: quietLogger}
			log := newExampleLog(cl)
			if c.value != nil {
				log.append(1, eventlog.Record{Value: c.value})
			}
			log.flush()
			positions := filepath.Join(t.TempDir(), "positions.json")
			if c.value == nil {
				if err := os.WriteFile(positions, []byte(`{"epoch":"other","positions":{}}`), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			_, said, err := tryRun(folder, environment, "consumer.py", "--brokers", cl.kafka, "--once", "--positions", positions)
			if err == nil || !strings.Contains(said, c.want) || strings.Contains(said, "Traceback") {
				t.Errorf("it ends with %v and says %q, want %q", err, said, c.want)
			}
		})
	}
}

func firstDifference(got, want []line) string {
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			return fmt.Sprintf("the first difference is at %+v", want[i])
		}
	}
	return "it prints more"
}

func encode(t *testing.T, e *schema.Event) []byte {
	t.Helper()
	value, err := proto.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// exampleLog is a log with what a reader may meet: repeats of all sorts,
// corrupt records, fields and headers that it does not know.
type exampleLog struct {
	c        *cluster
	client   *eventlog.Client
	producer *eventlog.Producer
	values   [consumerPartitions][]eventlog.Record
	counter  map[string]uint64
	corrupt  int
}

func newExampleLog(c *cluster) *exampleLog {
	l := &exampleLog{c: c, client: c.log(), counter: map[string]uint64{}}
	for _, topic := range schema.Topics(consumerPartitions) {
		if topic.Name == schema.TopicEvents {
			err := admin.EnsureTopics(soon(c.t), l.client, []admin.Topic{{Name: topic.Name, Partitions: topic.Partitions, Config: topic.Config}})
			if err != nil {
				c.t.Fatal(err)
			}
		}
	}
	l.producer = l.client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents, Compress: true})
	c.t.Cleanup(func() { l.producer.Close() })
	for p := range consumerPartitions {
		l.append(p, eventlog.Record{Value: encode(c.t, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{
			Epoch: "e", Format: 1, Window: consumerWindow,
		}}})})
	}
	return l
}

func (l *exampleLog) append(partition int, r eventlog.Record) {
	l.c.t.Helper()
	l.values[partition] = append(l.values[partition], r)
	if err := l.producer.Produce(partition, r, nil); err != nil {
		l.c.t.Fatal(err)
	}
}

func (l *exampleLog) flush() {
	l.c.t.Helper()
	if err := l.producer.Flush(soon(l.c.t)); err != nil {
		l.c.t.Fatal(err)
	}
}

// raise puts format 2 in force.
func (l *exampleLog) raise() {
	for p := range consumerPartitions {
		l.append(p, eventlog.Record{Value: encode(l.c.t, &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 2}}})})
	}
}

// write appends that many records to each partition, at random.
func (l *exampleLog) write(random *rand.Rand, records int) {
	for p := range consumerPartitions {
		for range records {
			l.append(p, l.record(random))
		}
	}
	l.flush()
}

func (l *exampleLog) record(random *rand.Rand) eventlog.Record {
	if random.IntN(20) == 0 {
		l.corrupt++
		return eventlog.Record{Value: slices.Concat(encode(l.c.t, &schema.Event{Connector: "c", Counter: 1}), []byte{0xff}[:random.IntN(2)])}
	}
	connector := fmt.Sprint("k", random.IntN(3))
	if random.IntN(10) > 0 { // else it repeats its number
		l.counter[connector]++
	}
	channel := fmt.Sprint("c", random.IntN(3))
	e := drawing{Rand: random}.event(connector, l.counter[connector], channel)
	value := protowire.AppendVarint(protowire.AppendTag(encode(l.c.t, e), 100, protowire.VarintType), 1) // a field of the future
	r := eventlog.Record{Key: []byte(channel), Value: value, Headers: []eventlog.Header{{Key: "future", Value: []byte{0xff}}}}
	if random.IntN(2) == 0 {
		r.Headers = append(r.Headers, eventlog.Header{Key: "traceparent", Value: []byte("00-" + strings.Repeat("1", 32) + "-" + strings.Repeat("2", 16) + "-01")})
	}
	return r
}

// reasonOf is a reason as JSON: one that is not known is a number.
func reasonOf(r schema.Reason) any {
	if name, known := schema.Reason_name[int32(r)]; known {
		return name
	}
	return float64(r)
}

// meant is what a reader should print, by our own rules.
func (l *exampleLog) meant(t *testing.T) (all []line) {
	t.Helper()
	for p, records := range l.values {
		window := schema.NewVoidWindow(consumerWindow)
		for offset, r := range records {
			e, err := schema.DecodeEvent(r.Value)
			if errors.Is(err, schema.ErrCorrupt) {
				continue
			} else if err != nil {
				t.Fatal(err)
			}
			void := window.Judge(int64(offset), e)
			if void || e.GetMarker() != nil && offset > 0 {
				continue
			}
			one := line{Partition: p, Offset: int64(offset), Channel: e.Channel()}
			one.Kind = kindOf(e)
			switch {
			case e.GetChat() != nil:
				one.Body = e.GetChat().Body
			case e.GetLeave() != nil:
				one.Reason = reasonOf(e.GetLeave().Reason)
			case e.GetSanction() != nil:
				one.Reason = e.GetSanction().Reason
			case e.GetPurge() != nil:
				one.Reason = e.GetPurge().Reason
			case e.GetDown() != nil:
				one.Reason = e.GetDown().Reason.String()
			}
			for _, h := range r.Headers {
				if h.Key == "traceparent" {
					one.Traceparent = string(h.Value)
				}
			}
			all = append(all, one)
		}
	}
	return all
}
