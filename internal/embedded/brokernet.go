package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/parley-chat/parley/internal/plain"
)

// trackedListener remembers the connections it accepted, so that a stopped
// broker leaves none open. Besides those of its TCP listener it accepts those
// that dial opens within the process.
type trackedListener struct {
	net.Listener
	advertised net.Addr // the address that clients are given
	login      bool     // clients are strangers until they have logged in

	came  chan net.Conn
	serve sync.WaitGroup // what accepts TCP connections

	close   sync.Once
	closing chan struct{} // closed by Close

	mu     sync.Mutex
	conns  map[*trackedConn]struct{}
	closed bool

	why   error         // set once, before ended
	ended chan struct{} // closed when it no longer accepts
}

func newTrackedListener(ln net.Listener, login bool) (*trackedListener, error) {
	advertised, err := advertise(ln.Addr())
	if err != nil {
		return nil, err
	}
	l := &trackedListener{
		Listener: ln, advertised: advertised, login: login,
		came: make(chan net.Conn), closing: make(chan struct{}), conns: map[*trackedConn]struct{}{}, ended: make(chan struct{}),
	}
	l.serve.Go(l.acceptTCP)
	return l, nil
}

// acceptTCP hands over TCP connections until the listener has ended.
func (l *trackedListener) acceptTCP() {
	defer close(l.ended)
	for {
		conn, err := plain.Patient{Listener: l.Listener}.Accept()
		if err != nil {
			l.why = err
			return
		}
		select {
		case l.came <- conn:
		case <-l.closing:
			_ = conn.Close() // nobody serves it
		}
	}
}

// dial opens a connection within the process.
func (l *trackedListener) dial(ctx context.Context) (net.Conn, error) {
	client, server := newPipe()
	select {
	case l.came <- server:
		return client, nil
	case <-l.ended:
		return nil, fmt.Errorf("connect to the embedded broker: %w", syscall.ECONNREFUSED)
	case <-ctx.Done():
		return nil, fmt.Errorf("connect to the embedded broker: %w", ctx.Err())
	}
}

// Close ends the listener. Connections stay open until closeConns.
func (l *trackedListener) Close() error {
	l.close.Do(func() { close(l.closing) })
	err := l.Listener.Close()
	l.serve.Wait()
	return err
}

// advertise is the address that a broker hands out for one that it listens at:
// the wildcard is not an address that a client could connect to, so it
// becomes the machine's name, as with Kafka.
func advertise(bound net.Addr) (net.Addr, error) {
	tcp, ok := bound.(*net.TCPAddr)
	if !ok || !tcp.IP.IsUnspecified() {
		return bound, nil
	}
	name, err := os.Hostname()
	if err == nil {
		_, err = net.LookupHost(name)
	}
	if err != nil {
		return nil, fmt.Errorf("the broker listens at %s, and would advertise this machine's name, which cannot be resolved: give --listen an address that clients can reach: %w", bound, err)
	}
	return namedAddr(net.JoinHostPort(name, strconv.Itoa(tcp.Port))), nil
}

// namedAddr is a host:port that need not be an IP address.
type namedAddr string

// Network implements net.Addr.
func (namedAddr) Network() string { return "tcp" }

// String implements net.Addr.
func (a namedAddr) String() string { return string(a) }

// Addr is the address that clients are given.
func (l *trackedListener) Addr() net.Addr { return l.advertised }

// Accept waits for the next connection.
func (l *trackedListener) Accept() (net.Conn, error) {
	var conn net.Conn
	select {
	case conn = <-l.came:
	case <-l.ended:
		return nil, l.why
	}
	c := &trackedConn{Conn: conn, owner: l}
	if l.login {
		c.stranger = &stranger{}
		_ = conn.SetReadDeadline(time.Now().Add(strangersTime)) // of a closed one, which the reader notices
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	l.conns[c] = struct{}{}
	return c, nil
}

// closeConns closes what is open and refuses what would still come.
func (l *trackedListener) closeConns() {
	l.mu.Lock()
	l.closed = true
	open := l.conns
	l.conns = map[*trackedConn]struct{}{}
	l.mu.Unlock()
	for c := range open {
		_ = c.Conn.Close() // nothing more is sent, so nothing can be lost
	}
}

// trackedConn notifies its listener when it is closed, and hands the broker only
// requests that it can take. One goroutine at a time reads, and one writes.
type trackedConn struct {
	net.Conn
	owner    *trackedListener
	stranger *stranger // nil: no login

	// Owned by the reader: what is left of the head of a request, and of the rest.
	head []byte
	rest int
}

// Close closes the connection.
func (c *trackedConn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.conns, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// brokerLog passes on what the broker logs.
type brokerLog struct{ log *slog.Logger }

// Logf implements kfake.Logger. The broker's informational lines are about
// single requests, of use only for debugging the broker.
func (l brokerLog) Logf(level kfake.LogLevel, format string, args ...any) {
	to := slog.LevelDebug
	switch level {
	case kfake.LogLevelError:
		to = slog.LevelError
	case kfake.LogLevelWarn:
		to = slog.LevelWarn
	}
	if l.log.Enabled(context.Background(), to) {
		l.log.Log(context.Background(), to, fmt.Sprintf(format, args...))
	}
}

func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}
