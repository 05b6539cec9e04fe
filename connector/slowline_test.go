package connector

import (
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/trust"
)

// slowLine is a connection that takes so many bytes a second.
type slowLine struct {
	net.Conn
	rate  int
	since time.Time
	taken int
}

func (l *slowLine) Read(p []byte) (int, error) {
	if l.since.IsZero() {
		l.since = time.Now()
	}
	due := l.since.Add(time.Duration(l.taken) * time.Second / time.Duration(l.rate))
	time.Sleep(time.Until(due))
	n, err := l.Conn.Read(p[:min(len(p), 16<<10)])
	l.taken += n
	return n, err
}

// Forty channels of 290 kB joined again at once are several queues full. Over
// 10 Mbit/s all of it comes; at 64 KiB a second, the slowest that is promised,
// it goes on coming: neither is taken for a slow consumer, a stuck one, or one
// that does not answer pings.
func TestSlowLinesGetEverything(t *testing.T) {
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		slowLines(t, nil, nil)
	})
	t.Run("TLS", func(t *testing.T) {
		t.Parallel()
		cert := certtest.New(t, 24*time.Hour)
		var cfg Config
		withTLS(t, cert)(&cfg)
		slowLines(t, cfg.Certificate, certtest.Client(cert))
	})
}

func slowLines(t *testing.T, certificate *trust.Served, secure *tls.Config) {
	const channels, slowBytes = 40, 14 * 64 << 10
	v := serveOver(t, certificate, func(inc *incarnation) {
		inc.cfg.PingEvery, inc.cfg.PongTimeout = time.Second, 2*time.Second
	})
	var all []*channel
	for i := range channels {
		ch := v.inc.channels.subscribe(fmt.Sprint("c", i))
		fillRing(t, ch, 70, strings.Repeat("x", 4000))
		all = append(all, ch)
	}
	stop := make(chan struct{})
	var keeping sync.WaitGroup
	keeping.Go(func() {
		for {
			select {
			case <-stop:
				return
			case now := <-time.After(housekeepEvery):
				for _, s := range v.inc.sessions.list() {
					s.keep(now)
				}
			}
		}
	})
	t.Cleanup(func() { close(stop); keeping.Wait() })
	var reading sync.WaitGroup
	for _, line := range []struct{ rate, answers, bytes int }{{10e6 / 8, channels, 0}, {64 << 10, 0, slowBytes}} {
		ws := v.enterOver(secure, line.rate, fmt.Sprint("at", line.rate), all...)
		for i := range channels {
			v.ask(ws, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"join","params":{"channel":"c%d","limit":300}}`, i+1, i))
		}
		reading.Go(func() {
			got, bytes := 0, 0
			for got < line.answers || bytes < line.bytes {
				_, frame, err := ws.ReadMessage()
				if err != nil {
					t.Errorf("at %d bytes a second, after %d answers and %d bytes: %v", line.rate, got, bytes, err)
					return
				}
				got, bytes = got+1, bytes+len(frame)
			}
		})
	}
	reading.Wait()
}

// enterOver is enter over a slow line.
func (v *served) enterOver(secure *tls.Config, rate int, user string, channels ...*channel) *websocket.Conn {
	v.t.Helper()
	dialer := &websocket.Dialer{TLSClientConfig: secure, NetDial: func(network, addr string) (net.Conn, error) {
		c, err := net.Dial(network, addr)
		return &slowLine{Conn: c, rate: rate}, err
	}}
	ws, _ := v.enterBy(dialer, user, channels...)
	return ws
}
