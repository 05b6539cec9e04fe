package hooks

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
)

// Of hooks that are to be killed: the test binary runs them when these are set.
const (
	processBroker = "PARLEY_TEST_HOOKS_BROKER"
	processURL    = "PARLEY_TEST_HOOKS_URL"
)

func TestMain(m *testing.M) {
	if addr := os.Getenv(processBroker); addr != "" {
		runProcess(addr, os.Getenv(processURL))
	}
	embeddedtest.Main(m)
}

func runProcess(addr, url string) {
	cfg := configOf(addr, url)
	cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	h, err := New(cfg)
	if err == nil {
		quick(h)
		err = h.Run(context.Background())
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

const partitions = 3

// secret signs what the tests send.
var secret = []byte("0123456789abcdef0123456789abcdef")

func configOf(addr, url string) Config {
	return Config{
		Base:     roles.Base{Kafka: eventlog.Config{Brokers: []string{addr}}},
		Receiver: webhook.Receiver{URL: url, Secrets: [][]byte{[]byte("another secret, of 30 bytes or so"), secret}, Timeout: await.Limit},
		From:     From{beginning: true},
	}
}

// quick makes hooks write and try again more often.
func quick(h *Hooks) {
	h.timing = timing{position: 20 * time.Millisecond, checkpoint: 50 * time.Millisecond,
		firstRetry: 10 * time.Millisecond, longestRetry: 100 * time.Millisecond, fenced: 100 * time.Millisecond, lastAnswer: time.Minute}
}

// rig is a log, and a program that events go to.
type rig struct {
	t        testing.TB
	addr     string
	client   *eventlog.Client
	log      epoch.Log
	events   *eventlog.Producer
	counters [partitions]uint64
}

func newRig(t testing.TB) *rig {
	t.Helper()
	addr := embeddedtest.Kafka(t)
	client, err := eventlog.New(eventlog.Config{Brokers: []string{addr}, ClientID: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	r := &rig{t: t, addr: addr, client: client}
	if r.log, err = epoch.Open(r.ctx(), client, epoch.Options{Partitions: partitions}); err != nil {
		t.Fatal(err)
	}
	r.events = client.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicEvents})
	t.Cleanup(func() { _ = r.events.Close() })
	return r
}

// ctx ends long after anything that a test does.
func (r *rig) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	r.t.Cleanup(cancel)
	return ctx
}

// append writes an event of connector "k" and returns its seq.
func (r *rig) append(partition int, e *schema.Event) int64 {
	r.t.Helper()
	offsets := make(chan int64, 1)
	r.produce(partition, e, func(offset int64, err error) {
		if err != nil {
			r.t.Errorf("append: %v", err)
		}
		offsets <- offset
	})
	return <-offsets
}

func (r *rig) produce(partition int, e *schema.Event, done func(int64, error)) {
	r.t.Helper()
	if e.Time == 0 {
		e.Time = time.Now().UnixMilli()
	}
	if e.GetDown() == nil {
		r.counters[partition]++
		e.Connector, e.Counter = "k", r.counters[partition]
	}
	value, err := proto.Marshal(e)
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		err = r.events.Produce(partition, eventlog.Record{Value: value, Time: time.Now()}, done)
		if err == nil {
			return
		}
		if err := r.events.Flush(r.ctx()); err != nil {
			r.t.Fatal(err)
		}
	}
}

func chat(channel, user, body string) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: channel, Session: "s" + user, User: user, Id: body, Body: body}}}
}

func join(channel, session, user string) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{Channel: channel, Session: session, User: user}}}
}

func leave(channel, session, user string) *schema.Event {
	return &schema.Event{Kind: &schema.Event_Leave{Leave: &schema.Leave{Channel: channel, Session: session, User: user, Reason: schema.Reason_REASON_LEAVE}}}
}

// start runs hooks until the test ends or stop is called, which waits.
func (r *rig) start(url string, change ...func(*Config)) (h *Hooks, stop func()) {
	r.t.Helper()
	cfg := configOf(r.addr, url)
	if testing.Verbose() {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	for _, c := range change {
		c(&cfg)
	}
	h, err := New(cfg)
	if err != nil {
		r.t.Fatal(err)
	}
	quick(h)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			r.t.Errorf("the hooks ended with %v", err)
		}
	})
	r.t.Cleanup(stop)
	return h, stop
}

func named(name string) func(*Config) { return func(c *Config) { c.Name = name } }

// message is what is POSTed.
type message struct {
	Epoch     string  `json:"epoch"`
	Partition int     `json:"partition"`
	From      int64   `json:"from"`
	To        int64   `json:"to"`
	Events    []Event `json:"events"`
}

// program is what events go to: it takes each key once, as the docs say.
type program struct {
	*httptest.Server
	t testing.TB
	// before, when it is set, may answer in its place, and returns true then.
	before func(w http.ResponseWriter, m message) bool

	mu       sync.Mutex
	taken    map[int][]Event // by partition
	last     map[int][2]int64
	messages int
	repeats  int
}

func newProgram(t testing.TB, tls bool) *program {
	p := &program{t: t, taken: map[int][]Event{}, last: map[int][2]int64{}}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	if tls {
		p.StartTLS()
	} else {
		p.Start()
	}
	t.Cleanup(func() {
		p.CloseClientConnections()
		p.Close()
	})
	return p
}

// ServeHTTP takes a message whose signature is right.
func (p *program) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	hook, err := standardwebhooks.NewWebhook("whsec_" + base64.StdEncoding.EncodeToString(secret))
	if err == nil {
		err = hook.Verify(body, req.Header)
	}
	var m message
	if err == nil {
		err = json.Unmarshal(body, &m)
	}
	if err != nil {
		p.t.Errorf("a message that is not right: %v", err)
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if p.before != nil && p.before(w, m) {
		return
	}
	p.take(&m)
	w.WriteHeader(http.StatusNoContent)
}

func (p *program) take(m *message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.messages++
	if n := len(m.Events); n == 0 || m.From != m.Events[0].Seq || m.To != m.Events[n-1].Seq {
		p.t.Errorf("a message from %d to %d has %d events", m.From, m.To, n)
		return
	}
	for _, e := range m.Events {
		key := [2]int64{e.Seq, int64(e.N)}
		if last, some := p.last[m.Partition]; some && slices.Compare(key[:], last[:]) <= 0 {
			p.repeats++
			continue
		}
		p.last[m.Partition] = key
		p.taken[m.Partition] = append(p.taken[m.Partition], e)
	}
}

// lines are what a partition's events say, for comparison.
func (p *program) lines(partition int) (lines []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.taken[partition] {
		line := e.Kind + " " + e.Channel
		for _, more := range []string{e.User, e.Body, e.Reason} {
			if more != "" {
				line += " " + more
			}
		}
		lines = append(lines, line)
	}
	return lines
}

func (p *program) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, events := range p.taken {
		n += len(events)
	}
	return n
}

// again counts the messages, and the events of them that came before.
func (p *program) again() (messages, repeats int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.messages, p.repeats
}

// gets waits for the lines of a partition.
func (r *rig) gets(p *program, partition int, want ...string) {
	r.t.Helper()
	var got []string
	deadline := time.Now().Add(60 * time.Second)
	for {
		if got = p.lines(partition); slices.Equal(got, want) {
			return
		}
		if time.Now().After(deadline) || len(got) > len(want) {
			r.t.Fatalf("partition %d has\n %s\nwant\n %s", partition, strings.Join(got, "\n "), strings.Join(want, "\n "))
		}
		time.Sleep(5 * time.Millisecond)
	}
}
