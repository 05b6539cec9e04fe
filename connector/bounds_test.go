package connector

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// largest is a message as large as any: a body of control characters, each of
// which JSON takes six bytes for, and the longest names.
func largest(seq int64) *rpc.Message {
	name := func(n int) string { return string(bytes.Repeat([]byte{1}, n)) }
	return &rpc.Message{Channel: name(schema.MaxName), Seq: seq, ID: name(schema.MaxID), User: name(schema.MaxName), To: name(schema.MaxName), Body: name(schema.MaxBody)}
}

// unread is a connection whose client reads nothing, and the bytes that its
// queue may hold.
func unread(t *testing.T) (*ws.Conn, int) {
	t.Helper()
	cfg := Config{}
	cfg.setLimits(&net.TCPAddr{IP: net.IPv4zero})
	line := &simLine{slow: true}
	t.Cleanup(func() { _ = line.Close() })
	return ws.New(line, ws.Options{Queue: cfg.Limits.Queue, Flushers: ws.NewFlushers()}), cfg.Limits.Queue
}

// A client that reads nothing has no more in memory than its queue may hold,
// and what a writer has in hand.
//
//parley:bound a client's queue
func TestQueueOfAClientIsBounded(t *testing.T) {
	for name, size := range map[string]int{"the largest messages": len(appendMessage(nil, largest(1))), "the smallest answers": 37} {
		t.Run(name, func(t *testing.T) {
			c, limit := unread(t)
			before, most := inuse.Heap(), 0
			for sent := 0; !c.Closing(); sent++ {
				c.Send(ws.TextFrame(make([]byte, size)))
				if most = max(most, c.Waiting()); sent > limit {
					t.Fatal("it is never full")
				}
				if size > 1000 || sent%20_000 == 0 {
					if heap := inuse.Heap() - before; heap > heapOf(limit, size) {
						t.Fatalf("%d bytes wait, and the heap grew by %d", c.Waiting(), heap)
					}
				}
			}
			if most > limit || most < limit/2 || c.ClosedWith() != rpc.CloseSlow {
				t.Errorf("%d bytes waited at most, closed with %d", most, c.ClosedWith())
			}
			if waits := c.Waiting(); waits > size+64<<10+200 {
				t.Errorf("%d bytes wait once it is thrown out", waits)
			}
		})
	}
}

// heapOf is what a queue of limit bytes in frames of that size may take.
func heapOf(limit, size int) int { return limit + limit/4 + limit/size*96 + 1<<20 }

// An empty queue takes one frame of any size, and no second one.
//
//parley:bound a client's queue
func TestEmptyQueueTakesOneFrame(t *testing.T) {
	c, limit := unread(t)
	c.Send(make([]byte, 3*limit))
	if c.Closing() {
		t.Fatal("a frame that is larger than the queue throws out a client with nothing queued")
	}
	c.Send(make([]byte, 1))
	if c.ClosedWith() != rpc.CloseSlow {
		t.Errorf("with a second one it is closed with %d", c.ClosedWith())
	}
}

// Members get no more at once than a batch, or one frame, and the channel keeps
// no more than that.
//
//parley:bound a channel's batch
func TestBatchOfAChannelIsBounded(t *testing.T) {
	for name, payload := range map[string][]byte{
		"the largest messages": appendMessage(nil, largest(1)), "halves of a batch": make([]byte, batchBytes/2), "the smallest": make([]byte, 1),
	} {
		t.Run(name, func(t *testing.T) {
			v := serveAlone(t, func(inc *incarnation) { inc.limits.Queue = 1 << 30 })
			ch := v.inc.subscribe("a")
			v.enter("ada", ch)
			most := max(batchBytes, len(payload)+ws.FrameHeader)
			var frames int
			ch.mu.Lock()
			defer ch.mu.Unlock()
			for total := 0; total < 4*most; total += len(payload) + 2 {
				ch.publishMessage(payload)
				if len(ch.out) > most || cap(ch.out) > 2*most {
					t.Fatalf("a batch has %d bytes and room for %d, the bound is %d", len(ch.out), cap(ch.out), most)
				}
				frames++
			}
			if ch.flush(); ch.delivered != frames || ch.out != nil {
				t.Errorf("%d of %d frames were delivered", ch.delivered, frames)
			}
		})
	}
}

// A ring takes what docs/architecture.md says of memory, whatever its messages
// are: what it lets go is not kept by what it holds.
//
//parley:bound a ring
func TestRingTakesWhatItMay(t *testing.T) {
	for _, body := range []int{1, 500, 4096, schema.MaxBody} {
		t.Run(fmt.Sprint(body), func(t *testing.T) {
			before := inuse.Heap()
			r := ring{maxEntries: 900}
			for seq := range int64(max(30, min(2000, 16*ringBytes/(escaped*body)))) {
				m := largest(seq + 1)
				m.Body = m.Body[:body]
				_, stored := chatPush(nil, m, 0)
				r.add(entry{seq: m.Seq, user: m.User, to: m.To, id: m.ID, json: stored})
			}
			heap := inuse.Heap() - before
			if len(r.entries) > 900 || r.bytes > ringBytes || heap > ringBytes*3/2+900*600 {
				t.Errorf("%d messages, %d bytes, the heap grew by %d", len(r.entries), r.bytes, heap)
			}
		})
	}
}

// Connections that are no WebSockets, each with as much of a head as it may send,
// take no more memory than is said.
//
//parley:bound other connections
func TestOtherConnectionsTakeWhatTheyMay(t *testing.T) {
	const reckoned = 64 << 10
	r := newEdgeRig(t, withAuth)
	head := "GET /ws HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", maxHead-200)
	most := r.c.cfg.Edge.Plain
	before := memoryInUse()
	for i := range 2 * most {
		plaintest.Send(t, fmt.Sprint("127.0.0.", 1+i%100), r.addr, head)
	}
	var took int
	for deadline := time.Now().Add(2 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		took = max(took, memoryInUse()-before) // of the clients, too
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
