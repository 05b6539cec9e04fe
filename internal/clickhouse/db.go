package clickhouse

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"time"

	driver "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/cenkalti/backoff/v4"
	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/schema/sql"
)

// Back-off between attempts at a server that does not answer.
const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 2 * time.Second
)

// Options of a DB. The zero value of a field with a default means the default.
type Options struct {
	// MaxConns bounds the connections; one query takes one. Default 8.
	MaxConns int
	// DialTimeout bounds a connection attempt, and the wait for a free
	// connection. Default 5 s.
	DialTimeout time.Duration
	// ReadTimeout bounds a wait for the server's next bytes where the context
	// has no deadline. Default 60 s.
	ReadTimeout time.Duration
	// Meters measure errors and outages; nil for none.
	Meters metric.MeterProvider
	// Logger gets what an operator should know; nil for none.
	Logger *slog.Logger
}

// DB is a pool of connections to one database. It is safe for concurrent use.
type DB struct {
	driver.Conn
	target  Target
	opts    Options
	outage  outage
	metrics *metrics
	newest  atomic.Uint32 // the highest generation that was seen to be the current one
}

// New returns a DB for what dsn names. It reads the files that the DSN names
// and does no other I/O: the first query opens the first connection.
func New(dsn string, o Options) (*DB, error) {
	target, err := Parse(dsn)
	if err != nil {
		return nil, err
	}
	o.MaxConns = cmp.Or(o.MaxConns, 8)
	o.DialTimeout = cmp.Or(o.DialTimeout, 5*time.Second)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, time.Minute)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if err := target.load(); err != nil {
		return nil, err
	}
	conn, err := driver.Open(options(target, o))
	if err != nil {
		return nil, fmt.Errorf("connect to ClickHouse: %w", err)
	}
	return &DB{Conn: conn, target: target, opts: o, metrics: newMetrics(o.Meters)}, nil
}

// Open is New, and then waits for the server as WaitReady does.
func Open(ctx context.Context, dsn string, o Options) (*DB, error) {
	db, err := New(dsn, o)
	if err != nil {
		return nil, err
	}
	if err := db.WaitReady(ctx); err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// Addresses are those of the servers, for people.
func (db *DB) Addresses() string { return strings.Join(db.target.Addresses, ",") }

// Database is the name of the database.
func (db *DB) Database() string { return db.target.Database }

// Cluster is the name of the cluster over which the tables are replicated; ""
// for a single server.
func (db *DB) Cluster() string { return db.target.Cluster }

func options(t Target, o Options) *driver.Options {
	opts := &driver.Options{
		Protocol:         driver.Native,
		Addr:             t.Addresses,
		Auth:             driver.Auth{Username: t.User, Password: t.Password},
		TLS:              t.tls,
		Settings:         settings(t.Cluster),
		Compression:      &driver.Compression{Method: driver.CompressionLZ4},
		DialTimeout:      o.DialTimeout,
		ReadTimeout:      o.ReadTimeout,
		MaxOpenConns:     o.MaxConns,
		MaxIdleConns:     o.MaxConns,
		ConnOpenStrategy: driver.ConnOpenRoundRobin,
	}
	for _, address := range t.Addresses {
		if host, _, err := net.SplitHostPort(address); err != nil || !net.ParseIP(host).IsLoopback() {
			return opts
		}
	}
	opts.Compression = nil // costs more than it saves on one machine
	return opts
}

// settings hold for every query. Batches come ready from the projector, and an
// insert that returns must be stored: so no asynchronous inserts. A repeated
// row is harmless in our tables, whereas an insert left out because the same
// one was seen before would be a hole when its rows were deleted in between:
// so no deduplication of inserts.
func settings(cluster string) driver.Settings {
	s := driver.Settings{"async_insert": 0, "insert_deduplicate": 0}
	if cluster != "" {
		// A watermark may be read from any server of the cluster, and then the
		// rows it covers must be found on any.
		s["insert_quorum"] = "auto"
		s["insert_quorum_parallel"] = 0
		s["select_sequential_consistency"] = 1
	}
	return s
}

// WaitReady waits, with back-off, until a server answers. It logs once that it
// waits. Refused credentials are an error at once.
func (db *DB) WaitReady(ctx context.Context) error {
	return db.Retry(ctx, "wait for ClickHouse", db.ask)
}

// Retry calls try, with back-off, until it succeeds or ctx ends. It ends at
// once when the server refuses the user, and with what try marks by
// backoff.Permanent. One log line reports that the database is in trouble, for
// all who use the DB, and one that it is over. What it tries is named for the
// error and the log, such as "write the history".
func (db *DB) Retry(ctx context.Context, what string, try func(context.Context) error) error {
	err := backoff.Retry(func() error {
		err := try(ctx)
		switch {
		case err == nil:
			db.outage.over(db)
		case isRefusal(err):
			db.Failed(err)
			return backoff.Permanent(err)
		case ctx.Err() == nil && !isPermanent(err):
			db.outage.note(db, what, err)
			db.Failed(err)
			db.metrics.retries.Add(1)
		}
		return err
	}, backoff.WithContext(newBackoff(), ctx))
	if err == nil || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%s at %s: %w", what, db.Addresses(), explain(err, db.target))
}

func isPermanent(err error) bool {
	var permanent *backoff.PermanentError
	return errors.As(err, &permanent)
}

// Answers waits, with back-off, until a server answers or ctx ends. It logs
// nothing.
func (db *DB) Answers(ctx context.Context) error {
	db.metrics.away.Add(1)
	defer db.metrics.away.Add(-1)
	return backoff.Retry(func() error {
		limited, cancel := context.WithTimeout(ctx, db.opts.DialTimeout)
		defer cancel()
		err := db.Ping(limited)
		if err != nil && ctx.Err() == nil {
			db.Failed(err)
			db.metrics.retries.Add(1)
		}
		return err
	}, backoff.WithContext(newBackoff(), ctx))
}

// Close closes the connections.
func (db *DB) Close() error {
	db.outage.forget(db)
	return db.Conn.Close()
}

// Reach reports why no server answers; nil when one does. It asks once, and
// creates nothing.
func (db *DB) Reach(ctx context.Context) error {
	err := db.ask(ctx)
	if err == nil {
		return nil
	}
	return fmt.Errorf("ClickHouse at %s: %w", db.Addresses(), explain(err, db.target))
}

func newBackoff() backoff.BackOff {
	return backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(minBackoff), backoff.WithMaxInterval(maxBackoff), backoff.WithMaxElapsedTime(0))
}

// plainAnswer is what the port of the native protocol, without TLS, answers to
// an HTTP request.
const plainAnswer = "is for clickhouse-client program"

// ask asks a server for a sign of life.
func (db *DB) ask(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, db.opts.DialTimeout)
	defer cancel()
	err := db.Ping(limited)
	if db.target.tls == nil {
		err = trust.Plain(ctx, db.target.Addresses[0], plainAnswer, err)
	}
	return err
}

// create creates the database if it is missing.
func (db *DB) create(ctx context.Context) error {
	var found uint64
	err := db.QueryRow(ctx, "SELECT count() FROM system.databases WHERE name = ?", db.target.Database).Scan(&found)
	if err != nil || found > 0 {
		return err
	}
	return db.Exec(ctx, "CREATE DATABASE IF NOT EXISTS `"+db.target.Database+"`"+db.layout().OnCluster())
}

// layout is how the tables are named and created.
func (db *DB) layout() sql.Layout {
	return sql.Layout{Database: db.target.Database, Cluster: db.target.Cluster}
}

// Table is the full name of a table, for a statement. Connections are not
// bound to the database, as it may be missing when they are opened.
func (db *DB) Table(name string) string { return db.layout().Table(name) }
