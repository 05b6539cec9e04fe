package embedded

import (
	"encoding/binary"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
)

// firstPacket is the largest one with which User comes in.
func firstPacket(secret string) []byte {
	text := func(b []byte, s string) []byte { return append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	rest := len(text(text(text([]byte{1, 1, 1}, ""), User), secret)) + 1
	name := strings.Repeat("n", maxHello-rest-2)
	return text(text(text(append(text([]byte{0}, name), 1, 1, 1), ""), User), secret)
}

// The gate takes no more clients than it may, who take no more memory than they
// may: strangers and clients that fill every buffer and read nothing.
//
//parley:bound connections to the embedded ClickHouse
func TestGateIsBounded(t *testing.T) {
	for name, c := range map[string]struct {
		first []byte
		pass  int // of them
	}{"clients": {firstPacket("secret"), gateConns}, "strangers": {make([]byte, 1), 0}} {
		t.Run(name, func(t *testing.T) {
			engine := newSink(t)
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			g := newGate(ln, t.TempDir(), "secret")
			g.engine.Store(engine.ln.Addr().String())
			var clients []net.Conn
			defer func() {
				for _, c := range clients {
					c.Close()
				}
				engine.close()
				if err := g.close(); err != nil {
					t.Error(err)
				}
			}()
			before := inUse()
			for i := range 2*gateConns + 200 {
				client, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				clients = append(clients, client)
				_ = client.SetWriteDeadline(time.Now().Add(time.Second))
				_, _ = client.Write(c.first)
				for deadline := time.Now().Add(await.Limit); engine.taken() < min(i+1, c.pass) && time.Now().Before(deadline); {
					time.Sleep(100 * time.Microsecond)
				}
			}
			held := func() int {
				g.mu.Lock()
				defer g.mu.Unlock()
				return len(g.conns)
			}
			await.That(t, "nearly as many are held as may be", func() bool { return held() >= 2*gateConns-100 })
			n, passed, memory := held(), engine.taken(), inUse()-before
			t.Logf("%d connections are held, %d passed, %d KiB", n, passed, memory>>10)
			if n > 2*gateConns || passed != c.pass || memory > gateConns*64<<10 {
				t.Errorf("%d connections are held, %d of them passed on, and take %d bytes", n, passed, memory)
			}
		})
	}
}

// sink takes connections, fills them with output, and reads nothing.
type sink struct {
	ln    net.Listener
	work  sync.WaitGroup
	mu    sync.Mutex
	conns []net.Conn
}

func newSink(t *testing.T) *sink {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &sink{ln: ln}
	s.work.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, c)
			s.mu.Unlock()
			_ = c.(*net.TCPConn).SetWriteBuffer(4096)
			_ = c.SetWriteDeadline(time.Now().Add(time.Millisecond))
			_, _ = c.Write(make([]byte, 1<<20))
		}
	})
	return s
}

func (s *sink) taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

func (s *sink) close() {
	_ = s.ln.Close()
	s.work.Wait()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

// inUse is the memory of heap and stacks.
func inUse() int {
	runtime.GC()
	runtime.GC() // what pools kept over the first one
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc + m.StackInuse)
}
