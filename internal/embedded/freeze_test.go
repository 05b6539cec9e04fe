package embedded_test

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
)

// freeze is longer than the gate and the engine wait for a first packet, and
// than the clients here wait for an answer.
const freeze = 12 * time.Second

// A laptop that is suspended, a debugger and a starved machine freeze
// processes. The engine, or the process that it belongs to, or both, go on
// afterwards; that clients gave up in the meantime, or wait still, ends neither.
func TestFreezeEndsNothing(t *testing.T) {
	needEngine(t)
	for _, c := range []struct {
		what           string
		engine, parent bool
	}{
		{"the engine", true, false}, {"its parent", false, true}, {"both", true, true},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			parent, engine, addr := startHolder(t, t.TempDir(), "127.0.0.1:0")
			defer func() {
				_ = parent.Process.Kill()
				_ = parent.Wait() // it was killed
				await.That(t, "the engine ends with its parent", func() bool { return !alive(engine) })
			}()
			execute(t, addr, "CREATE TABLE t (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
			execute(t, addr, "INSERT INTO t SELECT number, repeat('x', 1000) FROM numbers(50000)")
			var frozen []int
			if c.engine {
				frozen = append(frozen, engine)
			}
			if c.parent {
				frozen = append(frozen, parent.Process.Pid)
			}
			patient := connect(t, addr)
			defer patient.Close()
			if err := patient.Ping(within(t)); err != nil {
				t.Fatal(err)
			}
			var clients sync.WaitGroup
			clients.Go(func() { comeAndGo(addr, freeze+time.Second) })
			time.Sleep(500 * time.Millisecond) // they are in the middle of it
			signal(t, syscall.SIGSTOP, frozen)
			time.Sleep(freeze)
			signal(t, syscall.SIGCONT, frozen)
			clients.Wait()
			if err := patient.Ping(within(t)); err != nil {
				t.Errorf("who waited is not served: %v", err)
			}
			for range 20 {
				if got := number(t, addr, "SELECT count() FROM t WHERE a < 50000"); got != 50000 {
					t.Errorf("%d rows, want 50000", got)
				}
			}
			if !alive(engine) || !alive(parent.Process.Pid) {
				t.Errorf("the engine lives: %v, its parent: %v", alive(engine), alive(parent.Process.Pid))
			}
		})
	}
}

func signal(t *testing.T, s syscall.Signal, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, s); err != nil {
			t.Errorf("%v to %d: %v", s, pid, err)
		}
	}
}

// comeAndGo reads and writes for a while, and gives up after a second each time.
func comeAndGo(addr string, d time.Duration) {
	var all sync.WaitGroup
	defer all.Wait()
	for end, i := time.Now().Add(d), 0; time.Now().Before(end); i++ {
		all.Go(func() { tryOnce(addr, i) })
		time.Sleep(100 * time.Millisecond)
	}
}

func tryOnce(addr string, i int) {
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{addr}, Auth: clickhouse.Auth{Username: embedded.User, Password: testPassword}, DialTimeout: time.Second,
	})
	if err != nil {
		return
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if i%2 == 0 {
		_ = conn.Exec(ctx, fmt.Sprintf("INSERT INTO t SETTINGS async_insert = 0 VALUES (%d, 'y')", 50000+i))
		return
	}
	rows, err := conn.Query(ctx, "SELECT s, sleepEachRow(0.0001) FROM t ORDER BY a SETTINGS max_block_size = 100")
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
	}
}
