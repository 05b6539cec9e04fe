package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// engineAttempts is how often a start is tried: a free port may be snatched
	// away between being found and being used, and the child may crash.
	engineAttempts = 3

	restartFirst = 50 * time.Millisecond
	restartMost  = 10 * time.Second
)

// ClickHouseConfig is where ClickHouse listens and keeps its tables.
type ClickHouseConfig struct {
	// Listen is the host:port of the native protocol; port 0 takes any free one.
	Listen string
	// HTTPPort is the port of the HTTP protocol on the same host; "0" takes any
	// free one, "" means no HTTP.
	HTTPPort string
	// DataDir is the folder of the tables and of ClickHousePasswordFile, which is
	// created where it is missing.
	DataDir string
	// Yield gives the server less of the processor than this process gets where
	// both want it: history can wait, live messages cannot.
	Yield bool
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
}

// errListener reports that clients can no longer connect.
var errListener = errors.New("the listener for clients has ended")

// ClickHouse is a ClickHouse server in a child process, which ends when this
// process does, even by kill -9.
//
// A child that dies is started again at the same address. That happens: used
// as a server, clickhouse-local ends at any connection error outside of a
// query. A gate in this process keeps away what is known
// to cause one: strangers, wrong passwords, unknown databases, and clients that
// leave in the middle of an answer. What was acknowledged is kept, and it is
// back within a second.
type ClickHouse struct {
	addr, httpAddr string
	secret         string
	gate           *gate
	engine         engine
	folder         *Folder
	log            *slog.Logger

	pid      atomic.Int64
	stop     context.CancelFunc
	stopOnce sync.Once
	hurry    context.Context // ends when a stop may take no longer; read after stop
	done     chan struct{}   // closed when the child is gone for good
	err      error           // what could not be tidied up; read after done
}

// StartClickHouse starts the server and returns when it answers queries. The
// context bounds the start only; Stop ends the server. The calling program
// must call RunEngineIfAsked first thing in its main function.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	e, err := findEngine()
	if err != nil {
		return nil, err
	}
	e.yields = cfg.Yield
	folder, err := openServerFolder(ctx, cfg.DataDir)
	if err != nil {
		return nil, err
	}
	c := &ClickHouse{engine: e, folder: folder, log: orDiscard(cfg.Logger), done: make(chan struct{})}
	first, err := c.start(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, folder.Close())
	}
	run, cancel := context.WithCancel(context.Background())
	c.stop = cancel
	go c.keep(run, first)
	return c, nil
}

// start opens the gate and starts the first child.
func (c *ClickHouse) start(ctx context.Context, cfg ClickHouseConfig) (first *life, err error) {
	if c.secret, err = password(c.PasswordFile()); err != nil {
		return nil, err
	}
	ln, err := Listen(ctx, cfg.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	c.addr, c.gate = ln.Addr().String(), newGate(ln, c.folder.Path(), c.secret)
	first, err = begin(ctx, c.engine, c.folder, c.secret, cfg.HTTPPort)
	for attempt := 1; (errors.Is(err, errPortTaken) || errors.Is(err, errCrashed)) && attempt < engineAttempts; attempt++ {
		first, err = begin(ctx, c.engine, c.folder, c.secret, cfg.HTTPPort)
	}
	if err != nil {
		return nil, errors.Join(err, c.gate.close())
	}
	c.httpAddr = first.httpAddr
	c.use(first)
	tellConfined(c.log, first.confined)
	return first, nil
}

// tellConfined logs which files SQL can reach.
func tellConfined(log *slog.Logger, confined bool) {
	if confined {
		log.Info("the kernel confines ClickHouse to its own folder and the system's programs", "confined", true)
		return
	}
	log.Warn("the kernel does not confine ClickHouse to its own folder, which requires Linux 5.19 with Landlock: anyone with its password can read what the user of this process can", "confined", false)
}

// use makes a child the one that clients reach. Who sees its id reaches it.
func (c *ClickHouse) use(l *life) {
	c.gate.engine.Store(l.addr)
	c.pid.Store(int64(l.child.Pid))
}

// keep starts the child again whenever it dies, until ctx ends.
func (c *ClickHouse) keep(ctx context.Context, l *life) {
	defer close(c.done)
	for {
		select {
		case <-ctx.Done():
			c.err = errors.Join(c.gate.close(), l.end(c.hurry), c.folder.Close())
			return
		case <-c.gate.ended:
			c.err = errors.Join(errListener, l.end(ctx), c.folder.Close())
			return
		case <-l.child.Done():
		}
		c.log.Error("ClickHouse ended and is restarted", "how", l.child.Err(), "log", l.output.path)
		if err := l.kill(); err != nil {
			c.log.Error("files that ClickHouse left could not be removed", "error", err)
		}
		next, err := c.restart(ctx)
		if err != nil { // only the end of ctx ends the attempts
			c.err = errors.Join(c.gate.close(), c.folder.Close())
			return
		}
		l = next
		c.use(l)
		c.log.Info("ClickHouse is back", "address", c.addr)
	}
}

// restart tries until a start at the same address succeeds or ctx ends.
func (c *ClickHouse) restart(ctx context.Context) (*life, error) {
	var httpPort string
	if c.httpAddr != "" {
		var err error
		if _, httpPort, err = net.SplitHostPort(c.httpAddr); err != nil {
			return nil, fmt.Errorf("ClickHouse cannot listen at %s: %w", c.httpAddr, err)
		}
	}
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(restartFirst),
		backoff.WithMaxInterval(restartMost), backoff.WithMaxElapsedTime(0))
	return backoff.RetryNotifyWithData(
		func() (*life, error) { return begin(ctx, c.engine, c.folder, c.secret, httpPort) },
		backoff.WithContext(wait, ctx),
		func(err error, next time.Duration) {
			c.log.Error("ClickHouse could not be restarted", "error", err, "next try in", next)
		})
}

// Addr is the host:port of the native protocol.
func (c *ClickHouse) Addr() string { return c.addr }

// HTTPAddr is the host:port of the HTTP protocol; "" without HTTP.
func (c *ClickHouse) HTTPAddr() string { return c.httpAddr }

// DSN is how clients name a database of this server. It names the file with the
// password, which it does not hold.
func (c *ClickHouse) DSN(database string) string {
	file := strings.ReplaceAll(url.QueryEscape(c.PasswordFile()), "+", "%20") // a plus in a DSN is a plus
	return "clickhouse://" + User + "@" + c.addr + "/" + database + "?password-file=" + file
}

// PasswordFile is the path of the file with the password of User.
func (c *ClickHouse) PasswordFile() string {
	return filepath.Join(c.folder.Path(), ClickHousePasswordFile)
}

// Pid is the process id of the child, or of the last one when it is being
// started again.
func (c *ClickHouse) Pid() int { return int(c.pid.Load()) }

// Done is closed when the server has ended: by Stop, or because its listener did.
func (c *ClickHouse) Done() <-chan struct{} { return c.done }

// Stop asks the server to end, kills it when it does not in time or when the
// context ends, and returns when it is gone. Only the first call's context
// counts; all calls return the same.
func (c *ClickHouse) Stop(ctx context.Context) error {
	c.stopOnce.Do(func() {
		c.hurry = ctx
		c.stop()
	})
	<-c.done
	return c.err
}
