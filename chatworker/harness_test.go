package chatworker

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema"
)

// workerProcess names the brokers of a worker that is to be killed: the test
// binary runs one when this is set.
const workerProcess = "PARLEY_TEST_WORKER"

func TestMain(m *testing.M) {
	if addr := os.Getenv(workerProcess); addr != "" {
		runProcess(addr)
	}
	embeddedtest.Main(m)
}

func runProcess(addr string) {
	w, err := New(Config{
		Base: roles.Base{
			Kafka:  eventlog.Config{Brokers: []string{addr}},
			Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		},
		FlushEvery: 200 * time.Millisecond,
	})
	if err == nil {
		err = w.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

const partitions = 3

// rig is a log, and what connectors see of it.
type rig struct {
	t      testing.TB
	addr   string
	client *eventlog.Client
	log    epoch.Log
	events *eventlog.Producer
	beats  *eventlog.Producer

	counters map[string]uint64
	mu       sync.Mutex // guards pushes
	pushes   map[string][]received
	logged   []string // guarded by mu
}

// received is a push as it came.
type received struct {
	*schema.Push
	value []byte
}

func newRig(t testing.TB) *rig {
	t.Helper()
	return newRigAt(t, embeddedtest.Kafka(t))
}

// newRigAt opens a log at a broker of the test's own.
func newRigAt(t testing.TB, addr string) *rig {
	t.Helper()
	client, err := eventlog.New(eventlog.Config{Brokers: []string{addr}, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	r := &rig{t: t, addr: addr, client: client, counters: map[string]uint64{}, pushes: map[string][]received{}}
	r.log, err = epoch.Open(r.ctx(), client, epoch.Options{Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	r.events = r.producer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	r.beats = r.producer(eventlog.ProducerConfig{Topic: schema.TopicControl})
	r.follow()
	return r
}

// ctx ends long after anything that a test does.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	r.t.Cleanup(cancel)
	return ctx
}

func (r *rig) producer(cfg eventlog.ProducerConfig) *eventlog.Producer {
	p := r.client.NewProducer(cfg)
	r.t.Cleanup(func() { p.Close() })
	return p
}

// follow collects all pushes.
func (r *rig) follow() {
	ctx, stop := context.WithCancel(context.Background())
	var readers sync.WaitGroup
	for p := range partitions {
		readers.Go(func() {
			reader := r.client.NewReader(eventlog.ReaderConfig{Topic: schema.TopicPush, Partition: p})
			defer reader.Close()
			for {
				batch, err := reader.Next(ctx)
				if err != nil {
					return
				}
				for _, rec := range batch.Records {
					r.receive(p, rec)
				}
			}
		})
	}
	r.t.Cleanup(func() {
		stop()
		readers.Wait()
	})
}

func (r *rig) receive(partition int, rec eventlog.Record) {
	push := new(schema.Push)
	if err := proto.Unmarshal(rec.Value, push); err != nil {
		r.t.Errorf("push at %d: %v", rec.Offset, err)
		return
	}
	if push.Connector != string(rec.Key) || partition != pushPartition(push.Connector) {
		r.t.Errorf("a push to %s has key %q and is in partition %d", push.Connector, rec.Key, partition)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pushes[push.Connector] = append(r.pushes[push.Connector], received{push, rec.Value})
}

func pushPartition(connector string) int { return int(connector[0]) % partitions }

// start runs a worker until the test ends or stop is called, which waits.
func (r *rig) start(change ...func(*Worker)) (w *Worker, stop func()) {
	r.t.Helper()
	w, wait := r.run(change...)
	stop = sync.OnceFunc(func() {
		if err := wait(true); err != nil {
			r.t.Errorf("the worker ended with %v", err)
		}
	})
	r.t.Cleanup(stop)
	return w, stop
}

// run runs a worker. wait returns what it ended with, and may end it.
func (r *rig) run(change ...func(*Worker)) (w *Worker, wait func(end bool) error) {
	r.t.Helper()
	w, err := New(Config{Base: roles.Base{Kafka: eventlog.Config{Brokers: []string{r.addr}}, Logger: r.logger()}, FlushEvery: 100 * time.Millisecond})
	if err != nil {
		r.t.Fatal(err)
	}
	w.timing.tick = time.Hour    // unless the test is about leases
	w.timing.final = await.Limit // so that who leaves in order writes all, however slow the machine
	for _, c := range change {
		c(w)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, stopped := make(chan error, 1), make(chan struct{})
	go func() {
		defer close(stopped)
		ended <- w.Run(ctx)
	}()
	r.t.Cleanup(func() {
		cancel()
		<-stopped
	})
	return w, func(end bool) error {
		if end {
			cancel()
		}
		select {
		case err := <-ended:
			return err
		case <-time.After(await.Limit):
			return fmt.Errorf("still running after %v", await.Limit)
		}
	}
}

// write appends a record and returns its offset.
func (r *rig) write(p *eventlog.Producer, partition int, key string, value []byte) int64 {
	r.t.Helper()
	e := entry{partition: partition, value: value}
	if key != "" {
		e.key = []byte(key)
	}
	offset, err := appendAll(r.ctx(), p, e)
	if err != nil {
		r.t.Fatal(err)
	}
	return offset
}

func (r *rig) writeMessage(p *eventlog.Producer, partition int, key string, m proto.Message) int64 {
	r.t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.write(p, partition, key, value)
}

// event appends an event of a connector to the partition of its channel.
func (r *rig) event(connector string, e *schema.Event) int64 {
	r.t.Helper()
	partition := schema.PartitionOf(e.Channel(), partitions)
	key := fmt.Sprint(connector, partition)
	r.counters[key]++
	e.Connector, e.Counter = connector, r.counters[key]
	return r.writeMessage(r.events, partition, "", e)
}

func (r *rig) join(connector, channel, session, user string) int64 {
	r.t.Helper()
	return r.event(connector, &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{
		Channel: channel, Session: session, User: user, PushPartition: int32(pushPartition(connector)),
	}}})
}

func (r *rig) chat(connector, channel, user, id string) int64 {
	r.t.Helper()
	return r.event(connector, &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{
		Channel: channel, User: user, Id: id, Body: "hi",
	}}})
}

func (r *rig) beat(connector string, leaving bool) int64 {
	r.t.Helper()
	return r.writeMessage(r.beats, 0, schema.ControlKeyBeat(connector), &schema.Beat{Time: 1, Leaving: leaving})
}

// taken returns the pushes that a connector takes, of those that came, and how
// many it drops as repeats. These must be repeats to the byte, and the chain
// of stamps must be unbroken.
func (r *rig) taken(connector string) (pushes []*schema.Push, repeats int) {
	r.t.Helper()
	r.mu.Lock()
	all := slices.Clone(r.pushes[connector])
	r.mu.Unlock()
	type stamp struct {
		partition int32
		offset    int64
		index     int32
	}
	values, watermarks := map[stamp][]byte{}, map[int32]stamp{}
	for _, p := range all {
		at, mark := stamp{p.Partition, p.Offset, p.Index}, watermarks[p.Partition]
		if cmp.Or(cmp.Compare(at.offset, mark.offset), cmp.Compare(at.index, mark.index)) <= 0 {
			if repeats++; !bytes.Equal(values[at], p.value) {
				r.t.Errorf("a repeat at %v differs: %v", at, p.Push)
			}
			continue
		}
		if p.PrevOffset != mark.offset || p.PrevIndex != mark.index {
			r.t.Errorf("%s is at %v and gets %v", connector, mark, p.Push)
		}
		values[at], watermarks[p.Partition] = p.value, at
		pushes = append(pushes, p.Push)
	}
	return pushes, repeats
}

// awaitChat waits until a connector took the chat with that id.
func (r *rig) awaitChat(connector, id string) *schema.Push {
	r.t.Helper()
	var found *schema.Push
	await.That(r.t, connector+" takes chat "+id, func() bool {
		pushes, _ := r.taken(connector)
		for _, p := range pushes {
			for _, u := range p.Updates {
				if u.GetMessage().GetId() == id {
					found = p
				}
			}
		}
		return found != nil
	})
	return found
}

// chats returns the ids of the messages that a connector took.
func (r *rig) chats(connector string) (ids []string, repeats int) {
	r.t.Helper()
	pushes, repeats := r.taken(connector)
	for _, p := range pushes {
		for _, u := range p.Updates {
			if m := u.GetMessage(); m != nil {
				ids = append(ids, m.Id)
			}
		}
	}
	return ids, repeats
}

// read returns the records of a partition.
func (r *rig) read(topic string, partition int) []eventlog.Record {
	r.t.Helper()
	first, end, err := r.client.Offsets(r.ctx(), topic, partition)
	if err != nil {
		r.t.Fatal(err)
	}
	var records []eventlog.Record
	err = r.client.ReadRange(r.ctx(), topic, partition, first, end, 0, func(rec eventlog.Record) error {
		records = append(records, rec)
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return records
}

// downs counts the downs of each connector in a partition, by reason.
func (r *rig) downs(partition int) map[string]schema.Reason {
	r.t.Helper()
	found := map[string]schema.Reason{}
	for _, rec := range r.read(schema.TopicEvents, partition) {
		e, err := schema.DecodeEvent(rec.Value)
		if err != nil {
			r.t.Fatal(err)
		}
		if d := e.GetDown(); d != nil {
			found[d.Connector] = d.Reason
		}
	}
	return found
}

// state is the newest value of each key of a partition's checkpoint.
func (r *rig) state(topic string, partition int) map[string][]byte {
	r.t.Helper()
	values := map[string][]byte{}
	for _, rec := range r.read(topic, partition) {
		values[string(rec.Key)] = rec.Value
	}
	maps.DeleteFunc(values, func(_ string, v []byte) bool { return v == nil })
	return values
}
