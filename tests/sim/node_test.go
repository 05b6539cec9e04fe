package sim

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// node is one incarnation of a connector: the production one, but for its
// sockets, its producer and its archive.
type node struct {
	w        *world
	id       string
	inc      *connector.Simulated
	producer *producer

	pushPartition int
	at            int // of its push partition, next to read
	cancel        context.CancelFunc
	clients       map[string]*client // by session
	flushers      *ws.Flushers
	requests      *quota.Pool            // of what its clients ask
	seen          map[int32]*schema.Push // the newest by partition, for planted bugs
	newer         [partitions]bool       // it was pushed something in format 2
	hangs         bool                   // and does not beat
	draining      bool
	beaten        int64 // the offset of its newest beat
	over          bool
	watched       map[string]func() // channels that it follows, with what ends that
}

// push is a record of parley.push.
type push struct {
	key   string
	value []byte
}

// newNode returns a connector whose clock is ahead of the right one.
func (w *world) newNode(ahead time.Duration) *node {
	w.lives++
	n := &node{w: w, clients: map[string]*client{}, watched: map[string]func(){}, seen: map[int32]*schema.Push{}, flushers: ws.NewFlushers(), requests: quota.NewPool(0, 1<<30)}
	n.id, n.pushPartition = fmt.Sprintf("k%d", w.lives), w.rng.IntN(partitions)
	large := 1000
	if w.chance(50) {
		large = 0
	}
	var ctx context.Context
	ctx, n.cancel = context.WithCancel(context.Background())
	n.producer = &producer{write: w.writeEvent, reuses: w.plant == plantReuse}
	n.inc = connector.NewSimulated(ctx, &w.cfg, connector.Surroundings{
		ID: n.id, PushPartition: n.pushPartition, Large: cmp.Or(w.large, large),
		Log:      epoch.Log{Epoch: logEpoch, Partitions: partitions, Window: voidWindow, Format: w.formats.beginning()},
		Producer: n.producer, Archive: &archive{w, n.id}, Step: w.count,
		Now: func() time.Time { return time.Now().Add(ahead) },
	})
	n.at = len(w.pushes[n.pushPartition])
	w.tracef("%s starts, reading push partition %d from %d", n.id, n.pushPartition, n.at)
	n.beat()
	return n
}

func (n *node) beat() {
	read := n.w.control.readRange
	if n.w.plant == plantLapsed {
		read = nil
	}
	now := n.w.control.beat(n)
	if err := n.inc.Beaten(now, read); err != nil {
		n.w.count("ended as their lease had run out")
		n.end(err)
		return
	}
	n.beaten = now
}

// session is a session, and what carries it.
type session struct {
	connector.SimulatedSession
	id   string
	conn jsonrpc.Conn
}

// open makes a session whose client reads when the scheduler says so.
func (n *node) open(c *client, limit int) *session {
	n.w.lives++
	c.line = &line{slow: limit < n.w.cfg.Limits.Queue}
	conn := ws.New(c.line, ws.Options{Queue: limit, Flushers: n.flushers, Requests: n.requests})
	s := &session{id: fmt.Sprintf("s%d", n.w.lives), conn: jsonrpc.Conn{Conn: conn}}
	s.SimulatedSession = n.inc.Open(s.id, s.conn)
	n.clients[s.id] = c
	return s
}

// deliver hands the next pushes to the stream, as one batch.
func (n *node) deliver(most int) {
	all := n.w.pushes[n.pushPartition]
	end := min(len(all), n.at+most)
	if n.at == end {
		return
	}
	for ; n.at < end; n.at++ {
		p := all[n.at]
		if p.key != n.id {
			continue
		}
		if n.w.plant == plantRepeats || n.w.plant == plantNoChain {
			n.forget(p.value)
		}
		n.learn(p.value)
		err := n.inc.Push(&eventlog.Record{Key: []byte(p.key), Value: p.value, Offset: int64(n.at)})
		if err != nil {
			n.w.lost(n, err)
			n.end(err)
			return
		}
		n.w.settle()
		n.w.checkReplicas(n)
	}
	n.inc.Flush()
	n.w.settle()
}

// forget makes the chain what the push wants it to be: without what was seen
// repeats are new, else lost ones go unnoticed.
func (n *node) forget(value []byte) {
	p := new(schema.Push)
	decode(value, p)
	seen := n.seen[p.Partition]
	newer := p.Offset > seen.GetOffset() || p.Offset == seen.GetOffset() && p.Index > seen.GetIndex()
	if n.w.plant == plantRepeats || newer {
		n.inc.SetSeen(p.Partition, p.PrevOffset, p.PrevIndex)
	}
	if newer {
		n.seen[p.Partition] = p
	}
}

// end is what the connector does when an incarnation must not go on.
func (n *node) end(err error) {
	n.w.tracef("%s ends: %v", n.id, err)
	n.stop(rpc.CloseLostPlace)
	n.cut()
}

// drain is a planned stop.
func (n *node) drain() {
	n.w.tracef("%s drains", n.id)
	n.draining = true
	n.inc.Drain()
	n.stop(rpc.CloseShutdown)
	n.w.control.beat(n)
	n.cut()
}

// stop closes what the incarnation has; its clients get what was sent to them,
// unless they are cut before.
func (n *node) stop(code int) {
	n.w.trouble = true // what is being read fails
	n.cancel()
	n.w.settle()
	_ = n.producer.Close()
	n.inc.Close(code)
	for _, c := range n.w.clientsOf(n) {
		if n.w.chance(80) {
			c.read()
		}
		if c.session != nil {
			c.disconnect(false)
		}
	}
}

// kill is kill -9: what clients have not read yet is lost, and what is under
// way to the log may still land.
func (n *node) kill() {
	n.w.tracef("%s is killed", n.id)
	n.cancel()
	n.w.settle()
	n.producer.closed = true
	for _, c := range n.w.clientsOf(n) {
		c.gone()
	}
	n.cut()
}

func (n *node) cut() {
	n.over = true
	n.w.stragglers = append(n.w.stragglers, n.producer)
	n.w.remove(n)
	n.w.settle()
}

// keep is a round of housekeeping.
func (n *node) keep() {
	err := n.inc.Keep()
	switch {
	case err == nil:
	case connector.EndReason(err) == "silent_log":
		n.end(err)
	default:
		n.w.fail("%s is broken: %v", n.id, err)
	}
}

// lost checks the end of a stream against what happened.
func (w *world) lost(n *node, err error) {
	switch reason := connector.EndReason(err); {
	case reason == "declared_down":
		w.count("connectors told that they are down")
	case reason == "lost_push" && w.drops[n.id]:
		w.count("lost pushes noticed")
	default:
		w.fail("%s cannot go on: %v", n.id, err)
	}
}

func config(recover, presence int) connector.Config {
	return connector.Config{
		HistoryTime: 5 * time.Second,
		Auth:        &identity.Auth{}, // without what verifies tokens: users are who they say they are
		Base:        roles.Base{Logger: slog.New(slog.DiscardHandler)},
		PingEvery:   time.Hour, PongTimeout: time.Hour, MaxConnections: 1000,
		Limits: rpc.Limits{
			Body: 4096, Frame: 64 << 10, Channels: 128, Recover: recover, Pipeline: 1000,
			Dedupe: voidWindow, Presence: presence, Queue: 4 << 20, Page: 1 << 20, Data: 4096,
			Edits: 1000, Names: 20, Pairs: 10_000, Sanctions: 1000,
		},
	}
}
