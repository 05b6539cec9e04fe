// Package connector holds the clients' WebSockets. It checks who may do what,
// appends joins, chats and leaves to the log, follows the pushes that chat
// workers address to it, and fans them out to its sessions. It knows no other
// connector: nothing but the log and ClickHouse connects them.
//
// Read incarnation.go first, then stream.go (what comes in from the log), state.go
// (a session's way in and out of a channel) and join.go (how history and live
// meet). Package room has a channel and how it fans out, jsonrpc and pomelo/chat
// are what clients speak, on the connections of ws.
package connector

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"

	"github.com/parley-chat/parley/connector/admission"
	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/connector/gate"
	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/connector/screen"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Config is what a connector needs. The zero value of a field with a default
// means the default.
type Config struct {
	roles.Base
	ClickHouse string // DSN

	// Listen is the address for clients; Listener, when set, is used instead
	// and owned by the connector.
	Listen   string
	Listener net.Listener
	// NoClients means that there are none, and the API alone is served.
	NoClients bool
	API       APIConfig
	// Page is served at /; nil for none.
	Page http.Handler
	// Certificate makes clients connect over TLS; nil: in plain HTTP.
	Certificate *trust.Served

	// Limits that are 0 have defaults; for rates see Edge.
	Limits         rpc.Limits
	MaxConnections int              // open WebSockets; default 100,000. A negative number: as many as files may be open
	MaxQueued      int              // bytes in all outgoing queues together, default 256 MiB. A negative number: any
	Auth           *identity.Auth   // nil: users are who they say they are
	Grants         *GrantsFile      // what every user of a token may do, beside what the token grants; nil: nothing
	BeforeChat     *screen.Screen   // who is asked before a text is published; nil: nobody. Run closes it
	Edge           admission.Limits // what clients may take beside
	// Open serves everybody without authentication. Without it and without Auth
	// a connector listens on loopback alone, answers to localhost, loopback
	// addresses and Hosts, and serves what a proxy passed on only where Proxies
	// hold its address.
	Open    bool
	Hosts   []string
	Proxies []netip.Prefix
	// Origins that pages may come from besides the connector's own host:
	// https://chat.example.com, https://*.example.com for the names below, or *.
	Origins     []string
	PingEvery   time.Duration // of the server's pings, default 25 s
	PongTimeout time.Duration // default 8 s
	ClientPing  time.Duration // sent to clients in hello, default 25 s
	// A planned stop makes the connector not ready, serves on for
	// DrainDelay, so that load balancers take note, then refuses new connections
	// and closes those there are, spread over Drain.
	DrainDelay, Drain time.Duration
	Traces            string // URL with {trace}, sent to clients in hello
	// HistoryTime bounds a read of history, waiting for its turn included; two
	// fifths of it a query of ClickHouse, one fifth the tail of the log. What
	// takes longer is answered with less, marked as such. Default 5 s.
	HistoryTime time.Duration

	// Pomelo is an address for clients that speak pomelo's wire; nil: none.
	Pomelo *Pomelo

	tokens *identity.Verifier // by Auth; set by New
}

// Connector serves clients. Its methods may be called concurrently.
type Connector struct {
	cfg      Config
	listener net.Listener
	gate     *gate.Gate
	current  atomic.Pointer[incarnation] // nil: clients have to wait
	leaving  atomic.Bool                 // a planned stop has begun
	metrics  *metrics
	queues   *ws.Budget         // shared by the incarnations: one may end while the next serves
	keys     *identity.Remote   // of tokens, where they are at a URL; else nil
	edge     *admission.Control // counts sockets, whatever incarnation they belong to
	rules    *rulebook
	server   *ws.Server
	pomelo   *pomeloServer
	api      *api.Server    // nil: there is none
	turns    chan struct{}  // a slot for each request of a backend that waits
	doubted  sync.Once      // a proxy that is not trusted was named
	before   error          // what ended the incarnation before; owned by Run
	db       *clickhouse.DB // for comparing the log with it; set by Run
	asking   atomic.Bool    // there is no log, and ClickHouse is asked whether it holds the history of one
	heights  heights
	clock    roles.Clock
	ending   sync.WaitGroup // what is left of the incarnations before
}

// New checks cfg and begins to listen, so that Addr is known; Run serves.
func New(cfg Config) (*Connector, error) {
	cfg.SetDefaults(roles.Connector)
	cfg.MaxConnections = orAny(cmp.Or(cfg.MaxConnections, 100_000))
	cfg.MaxQueued = orAny(cmp.Or(cfg.MaxQueued, maxQueued))
	cfg.PingEvery = cmp.Or(cfg.PingEvery, 25*time.Second)
	cfg.PongTimeout = cmp.Or(cfg.PongTimeout, 8*time.Second)
	cfg.ClientPing = cmp.Or(cfg.ClientPing, 25*time.Second)
	cfg.HistoryTime = cmp.Or(cfg.HistoryTime, defaultHistoryTime)
	l := cfg.Listener
	if l == nil && !cfg.NoClients {
		var err error
		if l, err = net.Listen("tcp", cfg.Listen); err != nil {
			return nil, fmt.Errorf("listen for clients: %w", err)
		}
	}
	at := cfg.address(l)
	g, err := check(&cfg, at)
	var keys *identity.Remote
	if err == nil {
		keys, err = cfg.setTokens()
	}
	if err != nil {
		if cfg.Listener == nil && l != nil {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	cfg.Listen = at.String()
	cfg.setLimits(at)
	cfg.fit()
	m := newMetrics(cfg.Meters)
	c := &Connector{
		cfg: cfg, listener: l, gate: g, keys: keys, metrics: m, edge: admission.New(cfg.admission(m)), rules: newRulebook(),
		queues: ws.NewBudget(cfg.MaxQueued, func() { m.shed.Add(1) }),
	}
	c.server = ws.NewServer(ws.Config{
		Host: arrivals{c, g, "/ws", documented}, Page: cfg.Page, Path: "/ws", Protocol: rpc.Subprotocol, Plain: cfg.Edge.Plain, OnCrowded: func() { m.limited.Add(1, "plain") },
		TLS: cfg.tls(), OnUnshaken: func() { m.handshakes.Add(1) },
		MaxToken: identity.MaxToken, Logger: cfg.Logger,
	})
	c.setAPI()
	if c.pomelo, err = c.newPomelo(); err != nil {
		if cfg.Listener == nil && l != nil {
			err = errors.Join(err, l.Close())
		}
		return nil, err
	}
	return c, nil
}

// fit lowers the connections that are admitted to the descriptors there are.
func (cfg *Config) fit() {
	open, err := files.Limit()
	if err != nil {
		cfg.Logger.Warn("it is unknown how many files this process may have open", "error", err)
		return
	}
	if cfg.API.Listener != nil {
		cfg.API.connections = cmp.Or(cfg.API.connections, fitBackends(open))
		open -= uint64(cfg.API.connections)
	}
	asked, ports := cfg.MaxConnections, 1
	if cfg.Pomelo != nil {
		ports++
	}
	cfg.MaxConnections, cfg.Edge.Plain = fitDescriptors(open, asked, cfg.Edge.Plain, ports)
	if cfg.MaxConnections < asked && asked != anyNumber {
		cfg.Logger.Warn("fewer connections are admitted than asked for: raise the limit of open files (ulimit -n, LimitNOFILE) or lower --max-connections",
			"open_files", open, "connections", cfg.MaxConnections, "asked", asked)
	}
}

// Addr is the address that clients connect to; without clients that of the API.
func (c *Connector) Addr() net.Addr { return c.cfg.address(c.listener) }

// PomeloAddr is the address that clients of pomelo connect to; nil: there is none.
func (c *Connector) PomeloAddr() net.Addr {
	if c.pomelo == nil {
		return nil
	}
	return c.pomelo.listener.Addr()
}

// Run serves until ctx ends; then it drains, and returns nil. Its error is one
// that another try would not fix.
func (c *Connector) Run(ctx context.Context) error {
	db, err := clickhouse.New(c.cfg.ClickHouse, clickhouse.Options{
		MaxConns: 1, DialTimeout: firstLook, Meters: c.cfg.Meters, Logger: c.cfg.Logger,
	})
	if err != nil {
		c.closeListeners()
		return &unusable{err}
	}
	defer db.Close()
	c.db = db
	defer c.gauges()()
	defer c.followCertificate(ctx)()
	defer c.cfg.BeforeChat.Close()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	served := c.serveListeners(stop)
	unfollow, err := c.followRules(ctx)
	if err == nil {
		err = c.serveClients(ctx)
		unfollow()
	}
	c.ending.Wait()
	if e := served(); err == nil {
		err = e
	}
	return err
}

// outlive runs what clients need while the connector drains, too: after ctx has
// ended, until stop is called, which waits for it.
func outlive(ctx context.Context, run func(context.Context)) (stop func()) {
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	over := make(chan struct{})
	go func() {
		defer close(over)
		run(life)
	}()
	return func() {
		end()
		<-over
	}
}

// serveClients lives incarnations, once the keys of tokens are known.
func (c *Connector) serveClients(ctx context.Context) error {
	forget, err := c.fetchKeys(ctx)
	defer forget()
	if err != nil {
		return err
	}
	return c.runIncarnations(ctx)
}

// runIncarnations lives one incarnation after the other.
func (c *Connector) runIncarnations(ctx context.Context) error {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(100*time.Millisecond),
		backoff.WithMaxInterval(5*time.Second), backoff.WithMaxElapsedTime(0))
	for {
		began := time.Now()
		err := c.runIncarnation(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if fatal(err) {
			return err
		}
		c.cfg.Logger.Error("the connector lost its place and starts again", "error", err)
		if time.Since(began) > time.Minute {
			wait.Reset()
		}
		select {
		case <-time.After(wait.NextBackOff()):
		case <-ctx.Done():
			return nil
		}
	}
}

// fatal reports whether err is one for a person: the other roles end with it, too.
func fatal(err error) bool {
	var config *unusable
	return otherLog(err) || eventlog.IsRefused(err) || errors.As(err, &config)
}

// unusable is what is wrong with the DSN, or the files that it names.
type unusable struct{ error }

// otherLog reports whether err says that the log is not the expected one, or
// newer than this program.
func otherLog(err error) bool {
	var newer *schema.NewerError
	var refused *epoch.Refused
	var topic *admin.TopicError
	return errors.As(err, &newer) || errors.As(err, &refused) || errors.As(err, &topic) || errors.Is(err, eventlog.ErrLogReplaced)
}

// runIncarnation lives one incarnation.
func (c *Connector) runIncarnation(ctx context.Context) error {
	inc, release, err := c.open(ctx)
	if err != nil {
		return err
	}
	err = c.serveAs(ctx, inc)
	// Clients that do not read take seconds to be gone; the next incarnation does
	// not wait for them.
	c.ending.Go(func() {
		inc.work.Wait()
		inc.shared.Parking.Wait()
		release()
	})
	return err
}

// open opens the log and prepares an incarnation. release is called when nothing
// of it is left.
func (c *Connector) open(ctx context.Context) (inc *incarnation, release func(), err error) {
	kafka, err := eventlog.New(c.cfg.Kafka)
	if err != nil {
		return nil, nil, err
	}
	log, watch, err := c.openLog(ctx, kafka)
	if err != nil {
		kafka.Close()
		return nil, nil, err
	}
	reader, err := history.New(history.Config{
		DSN: c.cfg.ClickHouse, Log: kafka, Epoch: log,
		Meters: c.cfg.Meters, Tracers: c.cfg.Tracers, Logger: c.cfg.Logger,
		QueryTime: c.cfg.HistoryTime * 2 / 5, TailTime: c.cfg.HistoryTime / 5,
	})
	if err != nil {
		kafka.Close()
		return nil, nil, &unusable{err}
	}
	reader.Probe()
	inc = newIncarnation(&c.cfg, log, kafka, reader)
	inc.shared.Queues, inc.edge, inc.rules = c.queues, c.edge, c.rules
	inc.pomelo = c.pomeloOptions(inc)
	inc.watch, inc.events.heights, inc.clock, inc.troubles = watch, &c.heights, &c.clock, c.troubles
	return inc, func() { reader.Close(); kafka.Close() }, nil
}

// serveAs runs inc until it ends, or until ctx does: a planned stop, which drains
// first and lets the incarnation continue meanwhile.
func (c *Connector) serveAs(ctx context.Context, inc *incarnation) error {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	alive, end := context.WithCancel(life)
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		defer end()
		ended <- inc.run(life, func() { close(ready) })
	}()
	select {
	case <-ready:
	case <-alive.Done():
		return <-ended
	case <-ctx.Done():
		c.leaving.Store(true)
		stop()
		return <-ended
	}
	c.current.Store(inc)
	inc.metrics.began(c.before)
	inc.logger.Info("connector ready", "address", c.cfg.Listen, "epoch", inc.log.Epoch, "push_partition", inc.pushPartition)
	select {
	case <-alive.Done():
	case <-ctx.Done():
		c.leaving.Store(true)
		inc.drain(alive)
	}
	c.current.Store(nil)
	if alive.Err() != nil {
		inc.sessions.close(rpc.CloseLostPlace, "the server lost its place: rejoin with since")
	}
	stop()
	c.before = <-ended
	return c.before
}
