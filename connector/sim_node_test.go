package connector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// simNode is one incarnation of a connector: the production one, but for its
// sockets, its producer and its archive.
type simNode struct {
	w        *world
	inc      *incarnation
	stream   *stream
	producer *simProducer
	at       int // of its push partition, next to read
	cancel   context.CancelFunc
	clients  map[string]*simClient // by session
	hangs    bool                  // and does not beat
	over     bool
}

// simPush is a record of parley.push.
type simPush struct {
	key   string
	value []byte
}

func (w *world) newNode() *simNode {
	w.lives++
	n := &simNode{w: w, clients: map[string]*simClient{}}
	id := fmt.Sprintf("k%d", w.lives)
	log := epoch.Log{Epoch: simEpoch, Partitions: simPartitions, Window: simWindow}
	n.inc = newIncarnation(&w.cfg, log, nil, &simArchive{w, id})
	n.inc.id, n.inc.pushPartition = id, w.rng.IntN(simPartitions)
	if n.inc.channels.large = 1000; w.chance(50) {
		n.inc.channels.large = 0
	}
	n.inc.stepped = func(s step, from state) { w.count(simStep(s, from)) }
	n.inc.ctx, n.cancel = context.WithCancel(context.Background())
	n.inc.heart = newHeart(n.inc)
	n.producer = &simProducer{write: w.writeEvent, reuses: w.plant == plantReuse}
	n.inc.events.connector, n.inc.events.producer = id, n.producer
	n.stream = &stream{inc: n.inc, seen: pushChain{}}
	n.at = len(w.pushes[n.inc.pushPartition])
	w.tracef("%s starts, reading push partition %d from %d", id, n.inc.pushPartition, n.at)
	n.beat()
	return n
}

func (n *simNode) beat() {
	before := n.inc.heart.newest.Load().offset
	now := n.w.control.beat(n)
	if before >= 0 && n.w.plant != plantLapsed {
		if err := lapse(n.inc.id, before, now, n.w.control.readRange); err != nil {
			n.w.count("ended as their lease had run out")
			n.end(err)
			return
		}
	}
	n.inc.heart.beaten(time.Now(), now)
}

// open makes a session whose client reads when the scheduler says so.
func (n *simNode) open(c *simClient, limit int) *session {
	n.w.lives++
	s := &session{
		id: fmt.Sprintf("s%d", n.w.lives), inc: n.inc, places: map[string]*place{},
		unanswered: make(chan struct{}, n.inc.limits.Pipeline), opened: time.Now(),
	}
	c.line = &simLine{slow: limit < n.w.cfg.Limits.Queue}
	s.front = jsonrpc.Conn{Conn: ws.New(c.line, ws.Options{Queue: limit, Flushers: n.inc.flushers})}
	n.inc.sessions.all[s.id] = s
	n.clients[s.id] = c
	return s
}

// deliver hands the next pushes to the stream, as one batch.
func (n *simNode) deliver(most int) {
	all := n.w.pushes[n.inc.pushPartition]
	end := min(len(all), n.at+most)
	if n.at == end {
		return
	}
	for ; n.at < end; n.at++ {
		p := all[n.at]
		if p.key != n.inc.id {
			continue
		}
		if n.w.plant == plantRepeats || n.w.plant == plantNoChain {
			n.forget(p.value)
		}
		err := n.stream.record(&eventlog.Record{Key: []byte(p.key), Value: p.value, Offset: int64(n.at)})
		if err != nil {
			n.w.lost(n, err)
			n.end(err)
			return
		}
		n.w.settle()
		n.w.checkReplicas(n)
	}
	n.stream.flush()
	n.w.settle()
}

// forgetRefused forgets joins that nobody waits for any more, as if they were
// not in the log.
func (n *simNode) forgetRefused() {
	for _, s := range n.inOrder() {
		s.mu.Lock()
		for name, p := range s.places {
			if len(p.ops) == 1 && p.ops[0].join && len(p.ops[0].asked) == 0 && !p.state.member() {
				delete(s.places, name)
			}
		}
		s.mu.Unlock()
	}
}

// forget makes the chain what the push wants it to be: without what was seen
// repeats are new, else lost ones go unnoticed.
func (n *simNode) forget(value []byte) {
	p := new(schema.Push)
	simDecode(value, p)
	want := stamp{p.PrevOffset, p.PrevIndex}
	if n.w.plant == plantRepeats || (stamp{p.Offset, p.Index}).after(n.stream.seen[p.Partition]) {
		n.stream.seen[p.Partition] = want
	}
}

// end is what the connector does when an incarnation must not go on.
func (n *simNode) end(err error) {
	n.w.tracef("%s ends: %v", n.inc.id, err)
	n.stop(rpc.CloseLostPlace)
	n.cut()
}

// drain is a planned stop.
func (n *simNode) drain() {
	n.w.tracef("%s drains", n.inc.id)
	n.inc.draining.Store(true)
	n.stop(rpc.CloseShutdown)
	n.w.control.beat(n)
	n.cut()
}

// stop closes what the incarnation has; its clients get what was sent to them,
// unless they are cut before.
func (n *simNode) stop(code int) {
	n.w.trouble = true // what is being read fails
	n.cancel()
	n.w.settle()
	_ = n.producer.Close()
	n.inc.sessions.close(code, "")
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
func (n *simNode) kill() {
	n.w.tracef("%s is killed", n.inc.id)
	n.cancel()
	n.w.settle()
	n.producer.closed = true
	for _, c := range n.w.clientsOf(n) {
		c.gone()
	}
	n.cut()
}

func (n *simNode) cut() {
	n.over = true
	n.w.stragglers = append(n.w.stragglers, n.producer)
	n.w.remove(n)
	n.w.settle()
}

// keep is the keeper's round.
func (n *simNode) keep() {
	now := time.Now()
	if n.inc.silent(now) {
		n.end(errSilentLog)
		return
	}
	for _, s := range n.inOrder() {
		s.keep(now)
	}
	n.inc.channels.presence()
	n.inc.channels.forgetLeft(now)
	select {
	case err := <-n.inc.broken:
		n.w.fail("%s is broken: %v", n.inc.id, err)
	default:
	}
}

func (n *simNode) inOrder() []*session {
	all := n.inc.sessions.list()
	sortBy(all, func(s *session) string { return s.id })
	return all
}

// lost holds the end of a stream against what happened.
func (w *world) lost(n *simNode, err error) {
	var lost *lostPush
	switch {
	case errors.Is(err, errDown):
		w.count("connectors told that they are down")
	case errors.As(err, &lost) && w.drops[n.inc.id]:
		w.count("lost pushes noticed")
	default:
		w.fail("%s cannot go on: %v", n.inc.id, err)
	}
}

func simConfig(recover, presence int) Config {
	return Config{
		HistoryTime: defaultHistoryTime,
		Logger:      slog.New(slog.DiscardHandler),
		PingEvery:   time.Hour, PongTimeout: time.Hour, MaxConnections: 1000,
		Limits: rpc.Limits{
			Body: 4096, Frame: 64 << 10, Channels: 128, Recover: recover, Pipeline: 1000,
			Dedupe: simWindow, Presence: presence, Queue: 4 << 20, Page: 1 << 20,
		},
	}
}
