package eventlog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/sasl"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

const (
	// requestTimeout bounds one request to a broker.
	requestTimeout = 10 * time.Second
	// dialTimeout bounds one connection attempt, TLS and SASL included.
	dialTimeout = 5 * time.Second
	// metadataTTL is how old the known cluster layout may be while every request
	// succeeds. One that fails makes it be fetched again.
	metadataTTL = time.Minute
	// idleTimeout is longer, so that the connection that learns it stays.
	idleTimeout = 5 * time.Minute
)

// Config is which cluster to use and how.
type Config struct {
	// Brokers are host:port addresses of brokers that name the others.
	Brokers []string
	// ClientID is how the brokers' logs and quotas name this process.
	ClientID string
	// TLS encrypts connections when it is not nil.
	TLS *tls.Config
	// SASL authenticates connections when it is not nil.
	SASL sasl.Mechanism
	// Dial opens connections to brokers; over TCP when it is nil.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Meters measure requests and errors; nothing is measured when it is nil.
	Meters metric.MeterProvider
	// Tracers make spans of the requests that write; none when it is nil.
	Tracers trace.TracerProvider
	// Outage is shared by the clients of a process that are to report one
	// together; nil for the client's own.
	Outage *Outage
	// Logger gets what an operator should know; none is used when it is nil.
	Logger *slog.Logger
}

// Client is the way to one Kafka cluster. It is safe for concurrent use, and
// it has connections of its own that no other client shares.
type Client struct {
	cfg       Config
	log       *slog.Logger
	addr      net.Addr
	conns     *connTracker
	stop      context.CancelFunc // ends the pool's goroutines
	transport *transport
	kafka     *kafka.Client
	layout    atomic.Uint64 // how often the cluster's layout was forgotten
	outage    outage

	metrics    *metrics
	lastAnswer atomic.Pointer[time.Time] // when a broker answered last; nil: none so far
}

// New returns a client for the cluster that cfg names. It only validates; the
// first request opens the first connection.
func New(cfg Config) (*Client, error) {
	if len(cfg.Brokers) == 0 {
		return nil, errors.New("no Kafka broker address was given")
	}
	for _, b := range cfg.Brokers {
		if _, port, err := net.SplitHostPort(b); err != nil || port == "" {
			return nil, fmt.Errorf("the Kafka broker address %q is not of the form host:port", b)
		}
	}
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.Outage == nil {
		cfg.Outage = NewOutage(log)
	}
	conns := newConnTracker(cfg.Dial)
	alive, stop := context.WithCancel(context.Background())
	transport := &transport{&kafka.Transport{
		Dial:        conns.dial,
		DialTimeout: dialTimeout,
		IdleTimeout: idleTimeout,
		MetadataTTL: metadataTTL,
		ClientID:    cfg.ClientID,
		TLS:         cfg.TLS,
		SASL:        cfg.SASL,
		Context:     alive,
	}}
	addr := kafka.TCP(cfg.Brokers...)
	m := newMetrics(cfg.Meters)
	return &Client{
		cfg:       cfg,
		log:       log,
		addr:      addr,
		conns:     conns,
		stop:      stop,
		transport: transport,
		kafka:     &kafka.Client{Addr: addr, Timeout: requestTimeout, Transport: transport},
		outage:    outage{away: m.away},
		metrics:   m,
	}, nil
}

// Close drops the client's connections. Close what was made from the client
// first: requests that are still under way fail.
func (c *Client) Close() {
	c.stop()
	c.transport.CloseIdleConnections()
	c.conns.close()
}

// dialer opens connections outside of the pool, for consumer groups and for
// probes, which the pool cannot serve.
func (c *Client) dialer() *kafka.Dialer {
	return &kafka.Dialer{
		ClientID:      c.cfg.ClientID,
		Timeout:       dialTimeout,
		DualStack:     true,
		DialFunc:      c.cfg.Dial,
		TLS:           c.cfg.TLS,
		SASLMechanism: c.cfg.SASL,
	}
}

// forgetLayout makes the next request ask the cluster again who leads what. It
// costs the pool its idle connections, which is much faster than waiting for
// the layout to expire, and rids it of those that the same trouble broke. seen
// is the layout that led to the trouble: of many requests that failed because
// of one, only the first has an effect.
func (c *Client) forgetLayout(seen uint64) {
	if c.layout.CompareAndSwap(seen, seen+1) {
		c.transport.CloseIdleConnections()
	}
}

// Kafka is for requests that this package has no name for, as those of package
// admin. Each asks once.
func (c *Client) Kafka() *kafka.Client { return c.kafka }

// Logger gets what an operator should know.
func (c *Client) Logger() *slog.Logger { return c.log }

// ToolFlags are the flags with which Kafka's own tools reach this cluster. FILE
// stands for the operator's file with the login for such tools.
func (c *Client) ToolFlags() string {
	flags := "--bootstrap-server " + strings.Join(c.cfg.Brokers, ",")
	if c.cfg.TLS != nil || c.cfg.SASL != nil {
		flags += " --command-config FILE"
	}
	return flags
}

// WaitReady waits until the cluster answers, with back-off, for as long as ctx
// allows. Refused credentials and certificates are errors at once: waiting does
// not help.
func (c *Client) WaitReady(ctx context.Context) error {
	brokers := strings.Join(c.cfg.Brokers, ",")
	defer c.cfg.Outage.Forget(c)
	err := c.Retry(ctx, func() error {
		err := explainRefusal(c.probe(ctx))
		if err != nil && !isPermanent(err) {
			c.cfg.Outage.Note(ctx, c, "waiting for Kafka at "+brokers, err)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the Kafka cluster at %s is not ready: %w", brokers, err)
	}
	c.cfg.Outage.Over(c)
	return nil
}

// probe succeeds when one of the brokers accepts this client and the pool sees
// the cluster.
func (c *Client) probe(ctx context.Context) error {
	var errs []error
	for _, broker := range c.cfg.Brokers {
		err := c.probeBroker(ctx, broker)
		if err == nil {
			errs = nil
			break
		}
		errs = append(errs, fmt.Errorf("%s: %w", broker, err))
	}
	if errs != nil {
		return errors.Join(errs...)
	}
	_, err := c.kafka.Metadata(ctx, &kafka.MetadataRequest{})
	return err
}

// probeBroker succeeds when a broker accepts this client and is new enough.
func (c *Client) probeBroker(ctx context.Context, broker string) error {
	err := c.ask(ctx, c.dialer(), broker, func(conn *kafka.Conn) error {
		apis, err := conn.ApiVersions()
		if err != nil {
			return err
		}
		for _, api := range apis {
			if protocol.ApiKey(api.ApiKey) == protocol.Fetch && api.MaxVersion < fetchVersion {
				return &refusal{errors.New("it is too old: Kafka 3.1 or newer is needed")}
			}
		}
		return askBrokers(conn)
	})
	return c.diagnose(ctx, broker, err)
}
