package embedded

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

const (
	// engineLog is the child's output, in its data folder, since its start.
	engineLog = "clickhouse.log"
	// engineStart bounds a start, on data of any size.
	engineStart = 60 * time.Second
	// engineAttempts is how often a free port may be snatched away between
	// being found and being used.
	engineAttempts = 3
	// engineStop is how long a stop may take before the child is killed.
	engineStop = 10 * time.Second
)

// ClickHouseConfig says where ClickHouse listens and keeps its tables.
type ClickHouseConfig struct {
	// Listen is the host:port of the native protocol; port 0 takes any free one.
	Listen string
	// HTTPListen is the port of the HTTP protocol on the same host; "" or "0"
	// takes any free one.
	HTTPPort string
	// DataDir is the folder of the tables.
	DataDir string
	// Logger gets what an operator should know; nil discards it.
	Logger *slog.Logger
}

// ClickHouse is a ClickHouse server in a child process, which ends when this
// process does, even by kill -9.
type ClickHouse struct {
	addr     string
	httpAddr string
	folder   *Folder
	child    *child
	leash    io.Closer // the child ends when this is closed
	log      *slog.Logger
	stop     sync.Once
	stopErr  error
}

// StartClickHouse starts the server and returns when it answers queries. The
// context bounds the start only; Stop ends the server. The calling program
// must call RunEngineIfAsked first thing in its main function.
func StartClickHouse(ctx context.Context, cfg ClickHouseConfig) (*ClickHouse, error) {
	e, err := findEngine()
	if err != nil {
		return nil, err
	}
	folder, err := OpenFolder(ctx, cfg.DataDir)
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c, err := startEngine(ctx, cfg, e, folder)
		if err == nil {
			return c, nil
		}
		if attempt == engineAttempts || !errors.Is(err, errPortTaken) {
			return nil, errors.Join(err, folder.Close())
		}
	}
}

// errPortTaken reports that the child could not have the port it was given.
var errPortTaken = errors.New("the port was taken in the meantime")

// startEngine makes one attempt; it owns the child until that is ready.
func startEngine(ctx context.Context, cfg ClickHouseConfig, e engine, folder *Folder) (*ClickHouse, error) {
	addr, err := reserve(ctx, cfg.Listen, "--listen")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse cannot listen at %s: %w", cfg.Listen, err)
	}
	httpPort := cfg.HTTPPort
	if httpPort == "" {
		httpPort = "0"
	}
	httpAddr, err := reserve(ctx, net.JoinHostPort(host, httpPort), "--listen")
	if err != nil {
		return nil, err
	}
	_, httpPort, err = net.SplitHostPort(httpAddr)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse cannot listen at %s: %w", httpAddr, err)
	}
	c := &ClickHouse{addr: addr, httpAddr: httpAddr, folder: folder, log: orDiscard(cfg.Logger)}
	args := append(engineArgs(e), engineFlags(folder.Path(), host, port, httpPort)...)
	if err := c.launch(args); err != nil {
		return nil, err
	}
	if err := c.awaitReady(ctx, e); err != nil {
		c.kill()
		return nil, err
	}
	return c, nil
}

// launch starts the child. It is given the folder's lock, so that the folder
// stays locked until the child is gone too.
func (c *ClickHouse) launch(args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("ClickHouse cannot be started: %w", err)
	}
	output, err := os.Create(c.logFile())
	if err != nil {
		return fmt.Errorf("ClickHouse's log cannot be written: %w", err)
	}
	defer output.Close() //nolint:errcheck // the child has its own handle, nothing is written through ours
	stdin, leash, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("ClickHouse cannot be started: %w", err)
	}
	defer stdin.Close() //nolint:errcheck // only the child reads from it
	cmd := exec.Command(exe, args...)
	cmd.Dir = c.folder.Path()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, output, output
	cmd.ExtraFiles = []*os.File{c.folder.lock}
	if c.child, err = startChild(cmd); err != nil {
		return errors.Join(fmt.Errorf("ClickHouse cannot be started: %w", err), leash.Close())
	}
	c.leash = leash
	return nil
}

// awaitReady waits until the server answers a query, ends, or time is up.
func (c *ClickHouse) awaitReady(ctx context.Context, e engine) error {
	ctx, cancel := context.WithTimeout(ctx, engineStart)
	defer cancel()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{c.addr}, DialTimeout: time.Second})
	if err != nil {
		return fmt.Errorf("ClickHouse cannot be reached: %w", err)
	}
	defer conn.Close() //nolint:errcheck // it carried nothing but pings
	for {
		err := conn.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-c.child.done:
			return c.earlyEnd(e)
		case <-ctx.Done():
			return fmt.Errorf("ClickHouse (%s) did not answer at %s: %w", e, c.addr, errors.Join(ctx.Err(), err))
		case <-time.After(retryEvery):
		}
	}
}

// earlyEnd explains why the child ended before it was ready.
func (c *ClickHouse) earlyEnd(e engine) error {
	text, err := os.ReadFile(c.logFile())
	if err != nil {
		return fmt.Errorf("ClickHouse (%s) ended before it listened and its log cannot be read: %w", e, err)
	}
	if bytes.Contains(text, []byte("Address already in use")) {
		return fmt.Errorf("ClickHouse cannot listen at %s: %w", c.addr, errPortTaken)
	}
	return fmt.Errorf("ClickHouse (%s; version %s is known to work) ended before it listened, the last line of %s is: %s", e, engineVersion, c.logFile(), lastLine(text))
}

func (c *ClickHouse) logFile() string { return filepath.Join(c.folder.Path(), engineLog) }

func lastLine(text []byte) string {
	text = bytes.TrimSpace(text)
	return string(text[bytes.LastIndexByte(text, '\n')+1:])
}

// Addr is the host:port of the native protocol.
func (c *ClickHouse) Addr() string { return c.addr }

// HTTPAddr is the host:port of the HTTP protocol, for curl and browsers.
func (c *ClickHouse) HTTPAddr() string { return c.httpAddr }

// DSN is how clients name a database of this server.
func (c *ClickHouse) DSN(database string) string {
	return "clickhouse://" + c.addr + "/" + database
}

// Pid is the process id of the child.
func (c *ClickHouse) Pid() int { return c.child.process.Pid }

// Done is closed when the server has ended, by Stop or on its own.
func (c *ClickHouse) Done() <-chan struct{} { return c.child.done }

// Stop asks the server to end, kills it when it does not in time or when the
// context ends, and returns when it is gone. Later calls return the same.
func (c *ClickHouse) Stop(ctx context.Context) error {
	c.stop.Do(func() {
		_ = c.child.process.Signal(syscall.SIGTERM) // it may be gone already
		select {
		case <-c.child.done:
		case <-ctx.Done():
		case <-time.After(engineStop):
			c.log.Warn("ClickHouse did not stop in time and is killed", "after", engineStop)
		}
		c.kill()
		c.stopErr = c.folder.Close()
	})
	return c.stopErr
}

// kill ends the child, if it has not ended, and waits for that.
func (c *ClickHouse) kill() {
	_ = c.child.process.Kill() // it may be gone already
	<-c.child.done
	_ = c.leash.Close() // nobody reads from it any more
}
