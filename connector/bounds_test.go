package connector

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/plaintest"
)

// Connections that are not WebSockets, each with as much of a head as it may send,
// take no more memory than is said.
//
//parley:bound other connections
func TestOtherConnectionsTakeWhatTheyMay(t *testing.T) {
	const most, reckoned = 128, 64 << 10 // few enough to be there before the first one is closed for its head
	r := newEdgeRig(t, withAuth, func(cfg *Config) { cfg.Edge.Plain = most })
	head := "GET /ws HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", ws.MaxHead-200)
	before := memoryInUse()
	for i := range 2 * most {
		plaintest.Send(t, fmt.Sprint("127.0.0.", 1+i%100), r.addr, head)
	}
	await.That(t, "as many are there as may be", func() bool { return r.c.server.Plain() == most })
	connectionsTake(t, before, most, reckoned)
}

// connectionsTake sees that so many connections take no more than is reckoned with for
// each, beyond what was in use before.
func connectionsTake(t *testing.T, before, most, reckoned int) {
	t.Helper()
	took := math.MaxInt
	for range 20 { // the least: what is garbage already counts in some
		time.Sleep(50 * time.Millisecond)
		took = min(took, memoryInUse()-before) // of the clients, too
	}
	t.Logf("%d connections take %d bytes each", most, took/most)
	if took > most*reckoned {
		t.Errorf("%d connections take %d bytes each, at most %d are reckoned with", most, took/most, reckoned)
	}
}

// memoryInUse is the memory of heap and stacks.
func memoryInUse() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
