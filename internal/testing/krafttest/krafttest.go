// Package krafttest gives tests brokers of Apache Kafka, where they are asked
// for: with PARLEY_TEST_KAFKA=apache, as `make test-kafka` sets it.
package krafttest

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/kraft"
)

const (
	// Env names the environment variable for which broker tests run
	// against: "apache" for Apache Kafka, nothing for the embedded one.
	Env    = "PARLEY_TEST_KAFKA"
	apache = "apache"

	// patience bounds every start and stop of a cluster.
	patience = 2 * time.Minute
)

// Asked reports whether tests are to run against Apache Kafka.
func Asked() bool { return os.Getenv(Env) == apache }

// Need skips a test of what only Apache Kafka does where that was not asked
// for. On a machine without it the test is skipped too, and fails in CI.
func Need(tb testing.TB) {
	tb.Helper()
	if !Asked() {
		tb.Skip("needs Apache Kafka: `make test-kafka` runs it")
	}
	if err := kraft.Available(); err != nil {
		if os.Getenv("CI") == "true" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
}

// Start starts a cluster of the test's own, which ends with the test. Its logs
// are shown when the test fails. Config.Dir is set.
func Start(tb testing.TB, cfg kraft.Config) *kraft.Cluster {
	tb.Helper()
	Need(tb)
	cfg.Dir = folder(tb)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := kraft.Start(ctx, cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		c.Kill()
		if tb.Failed() {
			show(tb, c)
		}
	})
	return c
}

// folder is deleted after the cluster's end, because cleanups run in reverse.
func folder(tb testing.TB) string {
	tb.Helper()
	dir, err := newFolder()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			tb.Error(err)
		}
	})
	return dir
}

// show logs the last output of each node.
func show(tb testing.TB, c *kraft.Cluster) {
	for _, n := range c.Nodes {
		said, err := os.ReadFile(n.Log())
		if err != nil {
			tb.Error(err)
		}
		tb.Logf("node %d's last output:\n%s", n.ID, said[max(0, len(said)-4000):])
	}
}

// hasty lets a broker do soon what it does now and then.
var hasty = []string{"log.cleaner.backoff.ms=200", "log.segment.delete.delay.ms=1000"}

// pool holds brokers that no test uses. A broker takes seconds to start, and
// to empty one takes a tenth of one.
var pool struct {
	mu   sync.Mutex
	free []*broker
}

type broker struct {
	*kraft.Cluster
	dir string
}

// Broker returns the address of a broker without topics and groups, which is
// the test's until its end. Brokers are started when none can be reused;
// one that a failed test has used, or that cannot be emptied, is thrown away.
// Close ends them.
func Broker(tb testing.TB) (addr string) {
	tb.Helper()
	Need(tb)
	b, err := take()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			show(tb, b.Cluster)
		}
		if err := b.release(tb); err != nil {
			tb.Error(err)
		}
	})
	return b.Nodes[0].Addr()
}

func take() (*broker, error) {
	pool.mu.Lock()
	if n := len(pool.free); n > 0 {
		b := pool.free[n-1]
		pool.free = pool.free[:n-1]
		pool.mu.Unlock()
		return b, nil
	}
	pool.mu.Unlock()
	dir, err := newFolder()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c, err := kraft.Start(ctx, kraft.Config{Dir: dir, Settings: hasty})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return &broker{c, dir}, nil
}

// release empties the broker and puts it back, or throws it away.
func (b *broker) release(tb testing.TB) error {
	if tb.Failed() {
		return b.end()
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := empty(ctx, b.Nodes[0].Addr()); err != nil {
		tb.Logf("the broker is thrown away: %v", err)
		return b.end()
	}
	pool.mu.Lock()
	defer pool.mu.Unlock()
	pool.free = append(pool.free, b)
	return nil
}

func (b *broker) end() error {
	b.Kill()
	return os.RemoveAll(b.dir)
}

// Main runs the tests, ends what they have shared, fails when a goroutine is
// left and ends the process. Call it from TestMain.
func Main(m *testing.M) { await.Main(m, Close) }

// Close ends the brokers that tests have shared, for a TestMain of its own.
func Close() error {
	pool.mu.Lock()
	defer pool.mu.Unlock()
	var err error
	for _, b := range pool.free {
		err = errors.Join(err, b.end())
	}
	pool.free = nil
	return err
}
