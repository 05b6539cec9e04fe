package tests

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema"
)

// damaged is an installation whose log is going to be another one. It plays the
// table of docs/operations.md, "What each role does": a subtest for each cell.
type damaged struct {
	*cluster
	dir    string // of the broker
	older  string // a copy of it
	broker *embedded.Broker
	proxy  *clickhousetest.Proxy
	roles  map[string]*watched
}

// watched is a role that is expected to end.
type watched struct {
	ready  func() bool
	listen string
	end    context.CancelFunc
	ended  chan struct{}
	err    error // once ended
}

// newDamaged is a log with 20 messages, of which older is a copy, and 20 more.
// Everything is in ClickHouse, and one of each role runs.
func newDamaged(t *testing.T) *damaged {
	t.Helper()
	onEmbeddedBroker(t)
	dsn := embeddedtest.ClickHouse(t)
	d := &damaged{
		cluster: &cluster{t: t, kafka: freeport.AddressFor(t), logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelInfo}))},
		dir:     filepath.Join(t.TempDir(), "broker"), older: filepath.Join(t.TempDir(), "older"),
		proxy: clickhousetest.NewProxy(t, dsn), roles: map[string]*watched{},
	}
	d.cluster.clickhouse = d.proxy.DSN
	d.startBroker()
	t.Cleanup(d.stopBroker)
	t.Cleanup(d.stopAll)
	d.startAll()
	d.ready("chatworker", "projector", "connector")
	d.say(20)
	d.stopBroker() // roles wait
	if err := os.CopyFS(d.older, os.DirFS(d.dir)); err != nil {
		t.Fatal(err)
	}
	d.startBroker()
	d.say(20)
	return d
}

func (d *damaged) startBroker() {
	d.t.Helper()
	b, err := embedded.StartBroker(soon(d.t), embedded.BrokerConfig{Listen: d.kafka, DataDir: d.dir, Open: true})
	if err != nil {
		d.t.Fatal(err)
	}
	d.broker = b
}

func (d *damaged) stopBroker() {
	if err := d.broker.Stop(context.Background()); err != nil {
		d.t.Error(err)
	}
}

// replace puts another folder in place of the broker's; "" for an empty one.
func (d *damaged) replace(folder string) {
	d.t.Helper()
	d.stopBroker()
	if err := os.RemoveAll(d.dir); err != nil {
		d.t.Fatal(err)
	}
	if folder != "" {
		if err := os.CopyFS(d.dir, os.DirFS(folder)); err != nil {
			d.t.Fatal(err)
		}
	}
	d.startBroker()
}

func (d *damaged) start(name string) {
	d.t.Helper()
	w := &watched{ended: make(chan struct{})}
	var run func(context.Context) error
	var err error
	switch name {
	case "chatworker":
		var r *chatworker.Worker
		if r, err = chatworker.New(chatworker.Config{Base: roles.Base{Kafka: d.config(name), Logger: d.logger}}); err == nil {
			run, w.ready = r.Run, ready(d.t, r)
		}
	case "projector":
		var r *projector.Projector
		if r, err = projector.New(projector.Config{Base: roles.Base{Kafka: d.config(name), Logger: d.logger}, ClickHouse: d.cluster.clickhouse}); err == nil {
			run, w.ready = r.Run, ready(d.t, r)
		}
	case "connector":
		var r *connector.Connector
		r, err = connector.New(connector.Config{Base: roles.Base{Kafka: d.config(name), Logger: d.logger}, ClickHouse: d.cluster.clickhouse, Listen: "127.0.0.1:0"})
		if err == nil {
			run, w.ready, w.listen = r.Run, ready(d.t, r), "ws://"+r.Addr().String()+"/ws"
		}
	}
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	d.roles[name] = w
	go func() {
		defer close(w.ended)
		w.err = run(ctx)
	}()
}

// startAll starts the worker first: it must not begin a log of its own.
func (d *damaged) startAll() {
	d.t.Helper()
	for _, name := range []string{"chatworker", "projector", "connector"} {
		d.start(name)
	}
}

func (d *damaged) stopAll() {
	var stopping sync.WaitGroup
	for _, w := range d.roles {
		w.end()
		stopping.Go(func() { <-w.ended })
	}
	stopping.Wait()
	clear(d.roles)
}

func (d *damaged) ready(names ...string) {
	d.t.Helper()
	for _, name := range names {
		await.That(d.t, "the "+name+" is ready", d.roles[name].ready)
	}
}

// say sends n messages as a user and waits until they are in ClickHouse.
func (d *damaged) say(n int) {
	d.t.Helper()
	ada := enter(d.t, d.roles["connector"].listen, "ada")
	ada.join("lobby")
	_, last := says(ada, 0, n)
	d.projected(last)
}

// refuses waits until roles have ended with a sentence that has each of says.
func (d *damaged) refuses(says string, names ...string) {
	d.t.Helper()
	for _, name := range names {
		w := d.roles[name]
		select {
		case <-w.ended:
			if w.err == nil || !strings.Contains(w.err.Error(), says) || !strings.Contains(w.err.Error(), "parley epoch new") {
				d.t.Errorf("the %s ends with %v, want one that says %q", name, w.err, says)
			}
		case <-time.After(patience):
			d.t.Errorf("the %s goes on", name)
		}
	}
}

// waits sees that roles neither end nor become ready.
func (d *damaged) waits(names ...string) {
	d.t.Helper()
	time.Sleep(2 * time.Second) // in which it would have
	for _, name := range names {
		w := d.roles[name]
		select {
		case <-w.ended:
			d.t.Errorf("the %s ends with %v, want it to wait", name, w.err)
		default:
			if w.ready() {
				d.t.Errorf("the %s is ready, want it to wait", name)
			}
		}
	}
}

// untouched sees that nobody made a topic or wrote a marker.
func (d *damaged) untouched() {
	d.t.Helper()
	client := d.log()
	info, err := client.TopicInfo(soon(d.t), schema.TopicEvents)
	if err != nil {
		if !strings.Contains(err.Error(), eventlog.ErrUnknownTopic.Error()) {
			d.t.Fatal(err)
		}
		return
	}
	for p := range info.Partitions {
		if _, end, err := client.Offsets(soon(d.t), schema.TopicEvents, p); err != nil || end != 0 {
			d.t.Errorf("partition %d of a log that is gone holds %d records, error %v", p, end, err)
		}
	}
}

// doctor reports what it should.
func (d *damaged) doctor(says string) {
	d.t.Helper()
	if code, output := d.parley("doctor"); code != 1 || !strings.Contains(output, says) {
		d.t.Errorf("doctor: exit code %d, want an error that says %q among\n%s", code, says, output)
	}
}

var everyRole = []string{"chatworker", "projector", "connector"}

// doctorSays is doctor where ClickHouse answers.
func (d *damaged) doctorSays(answers bool, says string) {
	d.t.Helper()
	if answers {
		d.doctor(says)
	}
}
