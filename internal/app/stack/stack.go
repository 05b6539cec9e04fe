package stack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/web"
)

const (
	anyPort = "127.0.0.1:0"
	// database holds the history.
	database = "default"
	// readyPatience bounds the time from the first component's start until
	// clients are served, on data of any size.
	readyPatience = 2 * time.Minute
	readyPoll     = 5 * time.Millisecond
)

// Config is what to run on.
type Config struct {
	// Listen is the host:port for browsers and other clients; port 0 takes any
	// free one.
	Listen string
	// APIListen is the host:port of the API, likewise.
	APIListen string
	// DataDir holds the log and the tables; it is created where it is missing.
	DataDir string
	// Partitions of a log that does not exist yet; 0 means the default.
	Partitions int
	// Clients is who may connect and what clients may do; its servers and
	// addresses are not used.
	Clients connector.Config
	// ClickHouseHTTP makes ClickHouse answer SQL over HTTP too, for those who
	// have its password.
	ClickHouseHTTP bool
	// Begun, when set, gets the stack when its parts run, before clients are
	// served: its Health says what it waits for.
	Begun func(*Stack)
	// Meters measure what the components do; nil for none.
	Meters metric.MeterProvider
	// Tracers make spans of what the components do; nil for none.
	Tracers trace.TracerProvider
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
}

// Stack is everything in one process. Its methods are safe for concurrent use.
type Stack struct {
	cfg  Config
	log  *slog.Logger
	addr Addresses
	// cluster is how to reach the broker; set once it runs.
	cluster eventlog.Config

	stops  []stop // how to stop what runs, in the order of starting
	once   sync.Once
	stopEr error

	failOnce sync.Once
	failed   chan struct{} // closed when a part ended that should run
	failure  error         // read after failed

	connector *connector.Connector
	worker    *chatworker.Worker
}

// stop ends one part of the stack and waits for it.
type stop struct {
	part string
	do   func(context.Context) error
}

// Start starts everything and returns when clients are served, or stops
// what it has started and returns what was wrong. The context bounds the start
// only; Stop ends the stack.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Stack{cfg: cfg, log: log, failed: make(chan struct{})}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// StartServers starts the embedded servers alone, on a data folder that no
// stack runs on: for operators' commands, which may need every role stopped.
// Chat is not among its Addresses, and it is never ready.
func StartServers(ctx context.Context, dataDir string, log *slog.Logger) (*Stack, error) {
	s := &Stack{cfg: Config{DataDir: dataDir}, log: log, failed: make(chan struct{})}
	folder, err := s.openFolder(ctx)
	if err == nil {
		err = s.startServers(ctx, folder)
	}
	if err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// Addresses returns how the stack is reached.
func (s *Stack) Addresses() Addresses { return s.addr }

// Health reports whether clients are served. The history may lag: chat continues
// without it.
func (s *Stack) Health(ctx context.Context) roles.Health {
	if s.connector == nil {
		return roles.Health{Unready: []string{"no component runs: only the servers were started"}}
	}
	h := s.connector.Health(ctx) // its warnings are of the one machine
	h.Unready = append(h.Unready, s.worker.Health(ctx).Unready...)
	return h
}

// Failed is closed when a part of the stack ended on its own; Err returns
// which. The rest continues running until Stop.
func (s *Stack) Failed() <-chan struct{} { return s.failed }

// Err returns why Failed is closed, or nil when it is not.
func (s *Stack) Err() error {
	select {
	case <-s.failed:
		return s.failure
	default:
		return nil
	}
}

// Stop stops every part, the last started first, and waits for each. When the
// context ends, parts are cut short; all of them are asked in any case. Only
// the first call does anything; all return the same when it is done.
func (s *Stack) Stop(ctx context.Context) error {
	s.once.Do(func() {
		var errs []error
		for i := len(s.stops) - 1; i >= 0; i-- {
			if err := s.stops[i].do(ctx); err != nil {
				errs = append(errs, fmt.Errorf("stop %s: %w", s.stops[i].part, err))
			}
		}
		s.stopEr = errors.Join(errs...)
	})
	return s.stopEr
}

func (s *Stack) onStop(part string, do func(context.Context) error) {
	s.stops = append(s.stops, stop{part, do})
}

func (s *Stack) fail(err error) {
	s.failOnce.Do(func() {
		s.failure = err
		close(s.failed)
	})
}

// start starts the parts in order; each registers how it is stopped.
func (s *Stack) start(ctx context.Context) error {
	folder, err := s.openFolder(ctx)
	if err != nil {
		return err
	}
	listener, err := embedded.Listen(ctx, s.cfg.Listen, "--listen")
	if err != nil {
		return err
	}
	// The connector closes its listener itself; this is for a failed start.
	s.onStop("listener", func(context.Context) error { return ignoreClosed(listener.Close()) })
	if err := s.openAPI(ctx, folder); err != nil {
		return err
	}
	if err := s.startServers(ctx, folder); err != nil {
		return err
	}
	s.addr.Chat = "http://" + listener.Addr().String()
	if s.cfg.Clients.Certificate != nil {
		s.addr.Chat = "https://" + listener.Addr().String()
	}
	if err := s.startComponents(listener); err != nil {
		return err
	}
	if s.cfg.Begun != nil {
		s.cfg.Begun(s)
	}
	if err := s.awaitReady(ctx); err != nil {
		return err
	}
	s.onStop("address file", func(context.Context) error { return removeAddresses(folder) })
	return s.addr.write(folder)
}

// openFolder makes the data folder this stack's own, and returns its path.
func (s *Stack) openFolder(ctx context.Context) (string, error) {
	folder, err := embedded.OpenFolder(ctx, s.cfg.DataDir)
	if err != nil {
		return "", err
	}
	s.onStop("data folder", func(context.Context) error { return folder.Close() })
	return folder.Path(), nil
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// startServers starts the broker and ClickHouse.
func (s *Stack) startServers(ctx context.Context, dir string) error {
	broker, err := embedded.StartBroker(ctx, embedded.BrokerConfig{
		Listen: anyPort, DataDir: filepath.Join(dir, "broker"), Logger: s.log.With("part", "broker"),
	})
	if err != nil {
		return err
	}
	s.onStop("broker", broker.Stop)
	cfg := embedded.ClickHouseConfig{
		Listen: anyPort, DataDir: filepath.Join(dir, "clickhouse"), Yield: true, Logger: s.log.With("part", "clickhouse"),
	}
	if s.cfg.ClickHouseHTTP {
		cfg.HTTPPort = "0"
	}
	ch, err := embedded.StartClickHouse(ctx, cfg)
	if err != nil {
		return err
	}
	s.onStop("ClickHouse", ch.Stop)
	s.watch("broker", broker.Ended())
	s.watch("ClickHouse", ch.Done())
	s.addr.Pid = os.Getpid()
	s.addr.Kafka, s.addr.KafkaPasswordFile = broker.Addr(), broker.PasswordFile()
	if s.cluster, err = s.addr.Log(); err != nil {
		return err
	}
	s.cluster.Dial = broker.Dial
	s.addr.ClickHouse = ch.DSN(database)
	if ch.HTTPAddr() != "" {
		s.addr.ClickHouseHTTP = "http://" + ch.HTTPAddr()
	}
	return nil
}

// awaitReady waits until clients are served.
func (s *Stack) awaitReady(ctx context.Context) error {
	deadline := time.Now().Add(readyPatience)
	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for h := s.Health(ctx); !h.Ready(); h = s.Health(ctx) {
		if s.connector.AwaitsKeys() { // from elsewhere, which may take as long as it likes
			deadline = time.Now().Add(readyPatience)
		}
		select {
		case <-s.failed:
			return s.failure
		case <-ctx.Done():
			return fmt.Errorf("the stack was started and does not serve clients: %w", ctx.Err())
		case now := <-tick.C:
			if now.After(deadline) {
				return fmt.Errorf("the stack was started and does not serve clients: %s", strings.Join(h.Unready, "; "))
			}
		}
	}
	return nil
}

// startComponents starts one component of each kind.
func (s *Stack) startComponents(listener net.Listener) (err error) {
	s.worker, err = chatworker.New(chatworker.Config{Base: s.base("chatworker")})
	if err != nil {
		return err
	}
	s.run("chatworker", s.worker.Run)
	history, err := projector.New(projector.Config{Base: s.base("projector"), ClickHouse: s.addr.ClickHouse})
	if err != nil {
		return err
	}
	s.run("projector", history.Run)
	cfg := s.cfg.Clients
	cfg.Base, cfg.ClickHouse = s.base("connector"), s.addr.ClickHouse
	cfg.Listener, cfg.Page = listener, web.Handler()
	if s.connector, err = connector.New(cfg); err != nil {
		return err
	}
	if at := s.connector.PomeloAddr(); at != nil {
		s.addr.Pomelo = at.String()
	}
	s.run("connector", s.connector.Run)
	return nil
}

// base is what a component needs.
func (s *Stack) base(part string) roles.Base {
	cluster := s.cluster
	cluster.ClientID = part
	return roles.Base{
		Kafka: cluster, Partitions: s.cfg.Partitions,
		Meters: s.cfg.Meters, Tracers: s.cfg.Tracers, Logger: s.log.With("part", part),
	}
}
