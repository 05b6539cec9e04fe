package eventlog

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// linkBuffer is how much of a request's memory a link keeps for the next one, in bytes.
const linkBuffer = 64 << 10

// link is a connection to one broker at a time, for the requests of one goroutine,
// one after the other. It saves those who ask all the time the pool's hand-over to
// the goroutine of a connection and back. The first request opens the connection;
// after an error it is closed, and the next one opens another.
//
// Only close may be called by others than its goroutine.
type link struct {
	c *Client

	mu     sync.Mutex // guards what follows
	conn   net.Conn   // nil: none
	closed bool

	// Of its goroutine.
	addr   string // what conn is connected to
	in     *bufio.Reader
	out    []byte
	number int32     // of the last request
	used   time.Time // when the last answer came
	fresh  bool      // conn was opened since the owner set this to false
}

// exchange sends a request to the broker at addr and returns its answer. It takes
// timeout at most, a new connection included; an end of ctx is noticed at once.
func (l *link) exchange(ctx context.Context, addr string, timeout time.Duration, req kmsg.Request) (kmsg.Response, error) {
	deadline := time.Now().Add(timeout)
	conn, err := l.reach(ctx, addr, deadline)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	res, err := l.ask(conn, deadline, req)
	if !stop() { // it is closed, or about to be, whatever was answered
		err = ctx.Err()
	}
	if err != nil {
		l.drop()
		return nil, fmt.Errorf("broker %s: %w", addr, err)
	}
	l.used = time.Now()
	l.c.answered()
	return res, nil
}

// reach returns the connection to addr, and opens it where there is none.
func (l *link) reach(ctx context.Context, addr string, deadline time.Time) (net.Conn, error) {
	if l.addr != addr || time.Since(l.used) > idleTimeout {
		l.drop() // the broker may be about to close it
	}
	if conn := l.current(); conn != nil {
		return conn, nil
	}
	if sooner := time.Now().Add(dialTimeout); sooner.Before(deadline) {
		deadline = sooner
	}
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	raw, err := l.c.conns.dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	conn, err := l.secure(ctx, raw, addr)
	if err == nil {
		err = l.set(conn)
	}
	if err != nil {
		_ = raw.Close() // what it failed with is known
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, fmt.Errorf("connect to broker %s: %w", addr, err)
	}
	l.addr, l.fresh, l.used = addr, true, time.Now()
	return conn, nil
}

// secure encrypts a connection and logs in over it, as far as that is asked for.
func (l *link) secure(ctx context.Context, conn net.Conn, addr string) (net.Conn, error) {
	if cfg := l.c.cfg.TLS; cfg != nil {
		if cfg.ServerName == "" {
			host, _, err := net.SplitHostPort(addr)
			if err != nil {
				return conn, err
			}
			cfg = cfg.Clone()
			cfg.ServerName = host
		}
		encrypted := tls.Client(conn, cfg)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			return conn, err
		}
		conn = abrupt{encrypted, conn}
	}
	l.in = bufio.NewReader(conn)
	if l.c.cfg.SASL == nil {
		return conn, nil
	}
	return conn, l.login(ctx, conn, addr)
}

// abrupt is a TLS connection that is closed without a farewell, which could block.
type abrupt struct {
	*tls.Conn
	raw net.Conn
}

// Close closes the connection.
func (a abrupt) Close() error { return a.raw.Close() }

// set makes a connection the link's, unless it was closed meanwhile.
func (l *link) set(conn net.Conn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return ErrClosed
	}
	l.conn = conn
	return nil
}

// current is the connection that is open, or nil.
func (l *link) current() net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn
}

// drop closes the connection; the next request opens another.
func (l *link) drop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn != nil {
		_ = l.conn.Close() // no answer is expected over it any more
		l.conn = nil
	}
}

// close closes the connection for good. What is being asked fails.
func (l *link) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.drop()
}

// ask writes a request and reads its answer. Answers come in the order of the
// requests, so any other number means that the connection is of no use any more.
func (l *link) ask(conn net.Conn, deadline time.Time, req kmsg.Request) (kmsg.Response, error) {
	if err := conn.SetDeadline(deadline); err != nil {
		return nil, err
	}
	l.number++
	format := kmsg.NewRequestFormatter(kmsg.FormatterClientID(l.c.cfg.ClientID))
	l.out = format.AppendRequest(l.out[:0], req, l.number)
	_, err := conn.Write(l.out)
	if cap(l.out) > linkBuffer {
		l.out = nil
	}
	if err != nil {
		return nil, err
	}
	return readResponse(l.in, req, l.number)
}

// leader is the address of the broker that leads a partition, as far as the pool
// knows.
func (c *Client) leader(ctx context.Context, topic string, partition int) (string, error) {
	res, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return "", err
	}
	for _, t := range res.Topics {
		if t.Error != nil {
			return "", fmt.Errorf("who leads %s/%d: %w", topic, partition, t.Error)
		}
		for _, p := range t.Partitions {
			if p.ID == partition && p.Leader.Host != "" {
				return addressOf(p.Leader), nil
			}
		}
	}
	return "", fmt.Errorf("who leads %s/%d: %w", topic, partition, kafka.LeaderNotAvailable)
}

// brokerAt is the address of a broker, as far as the pool knows.
func (c *Client) brokerAt(ctx context.Context, id int32) (string, error) {
	res, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return "", err
	}
	for _, b := range res.Brokers {
		if b.ID == int(id) {
			return addressOf(b), nil
		}
	}
	return "", fmt.Errorf("broker %d: %w", id, kafka.BrokerNotAvailable)
}

// noEOF makes the end of a connection in the middle of a request an error.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
