// Package embeddedtest gives tests real servers: a broker of their own, and a
// database of their own in one ClickHouse server per test process.
//
// A test binary that imports it becomes the ClickHouse child when it is
// started as one, before any test runs. A package whose tests look for leaked
// goroutines calls Main from its TestMain.
package embeddedtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"go.uber.org/goleak"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

// patience bounds every start and stop of a server.
const patience = 2 * time.Minute

const retryEvery = 20 * time.Millisecond

// codeTryAgain is how ClickHouse refuses to drop a database in which a table
// is being created, by a client that has gone already.
const codeTryAgain = 219

func init() { embedded.RunEngineIfAsked() }

// shared is the ClickHouse server of this test process.
var shared struct {
	mu        sync.Mutex
	server    *embedded.ClickHouse
	dir       string
	databases atomic.Int64
}

// Main runs the tests, stops the shared server, fails when a goroutine is left
// and ends the process. Call it from TestMain.
func Main(m *testing.M, opts ...goleak.Option) {
	await.Main(m, func() error { return errors.Join(stopShared(), krafttest.Close()) }, opts...)
}

// Kafka returns the address of an empty broker, which is the test's until its
// end: an embedded one with its log in memory or, where krafttest is asked for,
// Apache Kafka.
func Kafka(tb testing.TB) (addr string) {
	tb.Helper()
	if krafttest.Asked() {
		return krafttest.Broker(tb)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	b, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Listen: "127.0.0.1:0"})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.Stop(ctx); err != nil {
			tb.Error(err)
		}
	})
	return b.Addr()
}

// ClickHouse returns the DSN of a new empty database in the ClickHouse server
// of this test process, which it starts when it is the first to ask. The
// database is dropped at the end of the test.
func ClickHouse(tb testing.TB) (dsn string) {
	tb.Helper()
	NeedEngine(tb)
	server, err := startShared()
	if err != nil {
		tb.Fatal(err)
	}
	name := fmt.Sprintf("test_%d", shared.databases.Add(1))
	execute(tb, server.Addr(), "CREATE DATABASE IF NOT EXISTS "+name)
	tb.Cleanup(func() { execute(tb, server.Addr(), "DROP DATABASE IF EXISTS "+name+" SYNC") })
	return dsnOf(server.Addr(), name)
}

// password is that of every ClickHouse server that tests start.
const password = "a-password-of-tests"

func dsnOf(addr, database string) string {
	return "clickhouse://" + embedded.User + ":" + password + "@" + addr + "/" + database
}

// DSN returns the DSN, password included, of the database "default" of a
// ClickHouse server that is to be started at an address on a data folder.
func DSN(tb testing.TB, addr, dataDir string) string {
	tb.Helper()
	if err := presetPassword(dataDir); err != nil {
		tb.Fatal(err)
	}
	return dsnOf(addr, "default")
}

// presetPassword gives a data folder the password of tests.
func presetPassword(dataDir string) error {
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dataDir, embedded.ClickHousePasswordFile), []byte(password+"\n"), 0o600)
}

// NeedEngine skips the test on a machine without the ClickHouse engine, and
// fails it there in CI.
func NeedEngine(tb testing.TB) {
	tb.Helper()
	if _, err := embedded.FindEngine(); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
}

func startShared() (*embedded.ClickHouse, error) {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server != nil {
		return shared.server, nil
	}
	sweep()
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, fmt.Errorf("no folder for ClickHouse: %w", err)
	}
	if err := presetPassword(dir); err != nil {
		return nil, fmt.Errorf("no password for ClickHouse: %w", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	server, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: dir})
	if err != nil {
		return nil, err
	}
	shared.server, shared.dir = server, dir
	return server, nil
}

func stopShared() error {
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.server == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := shared.server.Stop(ctx); err != nil {
		return err
	}
	return os.RemoveAll(shared.dir)
}

// folderPrefix is how the names of the shared servers' folders start.
const folderPrefix = "parley-test-clickhouse-"

// sweep removes the folders of earlier test processes that ended without
// Main; their servers ended with them.
func sweep() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		if embedded.RemoveFolder(dir) != nil {
			continue // in use by a test that runs now, or not ours to remove
		}
	}
}

// execute carries out a query, and waits for the server where it is just being
// started again.
func execute(tb testing.TB, addr, query string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{addr}, Auth: clickhouse.Auth{Username: embedded.User, Password: password},
	})
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the query's own error is what counts
	for {
		err := conn.Exec(ctx, query)
		if err == nil {
			return
		}
		var refused *clickhouse.Exception
		final := errors.As(err, &refused) && refused.Code != codeTryAgain
		if final || ctx.Err() != nil {
			tb.Fatalf("%s: %v", query, err)
		}
		time.Sleep(retryEvery)
	}
}
