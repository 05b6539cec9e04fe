package tests

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/ingest"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema"
)

var onceMessages = flag.Int("once", 500, "how many messages backends, and as many clients, send three times each")

const (
	onceBatch    = 50
	onceChannels = 20
	onceUsers    = 10
	onceAtOnce   = 30 // users and batches
	onceKills    = 3  // at least, before a message is sent again, and before all may come back
	onceTime     = 15 * time.Minute
	onceReport   = 10 * time.Second // between two reports of how far it is
)

// doors are processes through which the same messages come, again and again, and what
// kills them.
type doors struct {
	t     *testing.T
	ctx   context.Context
	roles *roleProcesses
	kafka *eventlog.Client
	apis  []string // addresses
	key   string

	commands *eventlog.Producer
	kills    atomic.Int64
	sent     atomic.Int64 // messages, three times each
	killed   map[string]int
	all      []*door
}

// door is a process that is killed now and then.
type door struct {
	kind string
	p    *process
	args []string
}

// Messages that are sent three times each, through different connectors, the API and
// ingest, while roles are killed, are stored once each.
func TestOnceThroughEveryDoor(t *testing.T) {
	onEmbeddedBroker(t)
	embeddedtest.NeedEngine(t)
	ctx, cancel := context.WithTimeout(t.Context(), onceTime)
	defer cancel()
	d := openDoors(t, ctx)
	killing, enough := context.WithCancel(ctx)
	var killer sync.WaitGroup
	killer.Go(func() { d.kill(killing) })
	killer.Go(func() { d.report(killing) })
	g, sending := errgroup.WithContext(ctx)
	g.SetLimit(onceAtOnce)
	for u := range onceUsers {
		g.Go(func() error { return d.client(sending, u) })
	}
	for from := 0; from < *onceMessages; from += onceBatch {
		g.Go(func() error { return d.backend(sending, from, min(from+onceBatch, *onceMessages)) })
	}
	err := g.Wait()
	enough()
	killer.Wait()
	if err != nil {
		t.Fatal(err)
	}
	d.drained()
	stored := d.stored()
	twice := 0
	for _, n := range stored {
		twice += n - 1
	}
	t.Logf("%d messages are stored, %d of them again; killed: %v", len(stored), twice, d.killed)
	if len(stored) != 2**onceMessages || twice != 0 {
		t.Errorf("%d messages are stored, %d of them again, want %d once each", len(stored), twice, 2**onceMessages)
	}
}

// openDoors starts every role, ingest and connectors with an API twice.
func openDoors(t *testing.T, ctx context.Context) *doors {
	t.Helper()
	keys, texts := keysFile(t, map[string]string{"shop": allActions})
	d := &doors{t: t, ctx: ctx, key: texts["shop"], killed: map[string]int{}}
	d.roles = startRolesWith(t, func(int) []string {
		at := freeport.AddressFor(t)
		d.apis = append(d.apis, at)
		return []string{"--api", at, "--api-keys", keys}
	})
	for range 2 {
		p := start(t, "ingest", "--kafka", d.roles.broker, "--clickhouse", d.roles.clickhouse, "--admin", "127.0.0.1:0")
		d.all = append(d.all, &door{kind: "ingest", p: p})
	}
	for _, p := range d.roles.connectors {
		d.all = append(d.all, &door{kind: "connector", p: p})
	}
	for _, p := range d.roles.workers {
		d.all = append(d.all, &door{kind: "worker", p: p})
	}
	d.all = append(d.all, &door{kind: "projector", p: d.roles.projector})
	for _, of := range d.all {
		of.args = of.p.cmd.Args[1:]
	}
	var err error
	if d.kafka, err = eventlog.New(eventlog.Config{Brokers: []string{d.roles.broker}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.kafka.Close)
	d.commands = d.kafka.NewProducer(eventlog.ProducerConfig{Topic: schema.TopicCommands})
	t.Cleanup(func() { d.commands.Close() })
	return d
}

// report says now and then how far it is.
func (d *doors) report(ctx context.Context) {
	began := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(onceReport):
			d.t.Logf("after %v: %d of %d are sent, %d processes were killed", time.Since(began).Round(time.Second), d.sent.Load(), 6**onceMessages, d.kills.Load())
		}
	}
}

// kill kills one process after the other, and starts it again. Now and then it waits
// until all are ready: a session that never begins would be no test of what it sends.
func (d *doors) kill(ctx context.Context) {
	for n := 0; ; n++ {
		if n%onceKills == 0 && !d.awaitReady(ctx) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(200*time.Millisecond + rand.N(800*time.Millisecond)):
		}
		of := d.all[rand.N(len(d.all))]
		of.p.signal(syscall.SIGKILL)
		of.p = start(d.t, of.args...)
		d.killed[of.kind]++
		d.kills.Add(1)
	}
}

// awaitReady waits until every process is ready; false when ctx ended first.
func (d *doors) awaitReady(ctx context.Context) bool {
	for _, of := range d.all {
		for !of.ready(ctx) {
			select {
			case <-ctx.Done():
				return false
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
	return true
}

func (of *door) ready(ctx context.Context) bool {
	at := adminAt.FindStringSubmatch(of.p.out.String())
	if at == nil {
		return false
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+at[1]+"/readyz", nil)
	if err != nil {
		return false
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	return res.Body.Close() == nil && res.StatusCode == http.StatusOK
}

// awaitKills waits until processes have been killed since the last time that messages
// were sent, so that it is not the same ones that get them again.
func (d *doors) awaitKills(ctx context.Context, time int) error {
	return again(ctx, func(context.Context) error {
		if d.kills.Load() < int64(time*onceKills) {
			return errors.New("too few processes were killed so far")
		}
		return nil
	})
}

// again tries until it succeeds: what fails is sent again, as backends and clients do.
func again(ctx context.Context, try func(context.Context) error) error {
	for {
		limited, cancel := context.WithTimeout(ctx, 15*time.Second)
		err := try(limited)
		cancel()
		if err == nil || ctx.Err() != nil {
			return errors.Join(err, ctx.Err())
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// backend publishes messages by both APIs and by ingest, in some order.
func (d *doors) backend(ctx context.Context, from, to int) error {
	for time, way := range rand.Perm(3) {
		if err := d.awaitKills(ctx, time); err != nil {
			return err
		}
		try := func(ctx context.Context) error { return d.publish(ctx, d.apis[way%2], from, to) }
		if way == 2 {
			try = func(ctx context.Context) error { return d.command(ctx, from, to) }
		}
		if err := again(ctx, try); err != nil {
			return fmt.Errorf("publish %d to %d: %w", from, to, err)
		}
		d.sent.Add(int64(to - from))
	}
	return nil
}

// drained waits until every command is carried out.
func (d *doors) drained() {
	d.t.Helper()
	for p := range schema.LaptopPartitions {
		_, end, err := d.kafka.Offsets(d.ctx, schema.TopicCommands, p)
		if err != nil {
			d.t.Fatal(err)
		}
		await.That(d.t, fmt.Sprintf("the commands of partition %d are carried out", p), func() bool {
			at, err := admin.Committed(d.ctx, d.kafka, ingest.DefaultGroup, schema.TopicCommands, schema.LaptopPartitions)
			return err == nil && (end == 0 || at[p] >= end)
		})
	}
}

// stored is how often each message is in the log and not void.
func (d *doors) stored() map[string]int {
	d.t.Helper()
	found := map[string]int{}
	for p := range schema.LaptopPartitions {
		_, end, err := d.kafka.Offsets(d.ctx, schema.TopicEvents, p)
		if err != nil {
			d.t.Fatal(err)
		}
		window := schema.NewVoidWindow(schema.Window)
		err = d.kafka.ReadRange(d.ctx, schema.TopicEvents, p, 0, end, 0, func(r eventlog.Record) error {
			e, err := schema.DecodeEvent(r.Value)
			if err == nil && !window.Judge(r.Offset, e) && e.GetChat() != nil {
				found[e.GetChat().Id]++
			}
			return err
		})
		if err != nil {
			d.t.Fatal(err)
		}
	}
	return found
}
