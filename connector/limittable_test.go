package connector

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	sdk "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/parley-chat/parley/internal/testing/await"
)

// limitCase is a limit at the edge, by what a client does to meet it.
type limitCase struct {
	set   func(cfg *Config, limit int)
	limit int
	meet  func(r *edgeRig) (told bool) // whether the client is told in the documented way
	// The metric that counts it, and its label.
	metric, label string
}

const (
	metricUpgrades = "parley.connector.upgrades"
	metricLimited  = "parley.connector.limited"
)

// patience is how long it is waited for what a limit brings, or, without one, does not.
func patience(limited bool) time.Duration {
	if limited {
		return await.Limit
	}
	return time.Second
}

// dialed opens WebSockets until one is answered with 503 and a time to come
// back in.
func dialed(n int) func(*edgeRig) bool {
	return func(r *edgeRig) bool {
		for range n {
			if _, status, retry := r.dial(nil); status == http.StatusServiceUnavailable && retry != "" {
				return true
			}
		}
		return false
	}
}

// pinged sends pings over sessions of one user until one is answered with 1005.
func pinged(sessions int) func(*edgeRig) bool {
	return func(r *edgeRig) (told bool) {
		for i := range sessions {
			ws := r.enter("ada")
			for n := 0; n < 100 && !told; n++ {
				answer := answerTo(r.t, ws, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"ping"}`, 100*i+n))
				told = strings.Contains(answer, `"code":1005`) && strings.Contains(answer, `"retry":`)
			}
		}
		return told
	}
}

var limitCases = map[string]limitCase{
	"connections of an address": {func(c *Config, n int) { c.Edge.AddressConnections = n }, 2, dialed(4), metricUpgrades, "address"},
	"connections":               {func(c *Config, n int) { c.MaxConnections = n }, 2, dialed(20), metricUpgrades, "full"},
	"upgrades a second":         {func(c *Config, n int) { c.Edge.Upgrades = n }, 2, dialed(20), metricUpgrades, "rate"},
	"connections before hello":  {func(c *Config, n int) { c.Edge.BeforeHello = n }, 2, dialed(20), metricUpgrades, "hello"},
	"connections of a user": {func(c *Config, n int) { c.Edge.UserConnections = n }, 1, func(r *edgeRig) bool {
		r.enter("ada")
		ws := r.open()
		r.sayHello(ws, "ada")
		_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
		_, _, err := ws.ReadMessage()
		return websocket.IsCloseError(err, 3014, 3504)
	}, metricLimited, "user_connections"},
	"requests of a session": {func(c *Config, n int) { c.Limits.Rate = n }, 5, pinged(1), metricLimited, "requests"},
	"requests of a user":    {func(c *Config, n int) { c.Edge.UserRate = n }, 5, pinged(2), metricLimited, "user_requests"},
	"bytes of a connection": {func(c *Config, n int) { c.Edge.ReadRate = n }, 64 << 10, func(r *edgeRig) bool {
		ws := r.enter("ada")
		begun := time.Now()
		for range 8 { // 480 KiB, 256 KiB of them at once
			if err := ws.WriteMessage(websocket.TextMessage, []byte(`{"jsonrpc":"2.0","method":"ping","params":{"x":"`+strings.Repeat("x", 60<<10)+`"}}`)); err != nil {
				r.t.Fatal(err)
			}
		}
		answerTo(r.t, ws, `{"jsonrpc":"2.0","id":7,"method":"ping"}`)
		return r.c.cfg.Edge.ReadRate > 0 && time.Since(begun) > 2*time.Second
	}, metricLimited, "bytes"},
	"connections that are not WebSockets": {func(c *Config, n int) { c.Edge.Plain = n }, 3, func(r *edgeRig) bool {
		first := r.raw("GET / HTTP/1.1\r\n")
		for range 6 {
			r.raw("GET / HTTP/1.1\r\n")
		}
		_ = first.SetReadDeadline(time.Now().Add(patience(r.c.cfg.Edge.Plain > 0)))
		_, err := first.Read(make([]byte, 1))
		return err != nil && !isTimeout(err)
	}, metricLimited, "plain"},
	"bytes in all queues": {func(c *Config, n int) { c.MaxQueued = n }, 3 << 20, func(r *edgeRig) bool {
		for i := range 4 {
			r.enter(fmt.Sprint("user", i)) // who reads nothing more
		}
		frame := map[string]string{"padding": strings.Repeat("x", 100<<10)}
		all := r.inc.sessions.list()
		for range 30 {
			for _, s := range all {
				s.front.Push("event", frame)
			}
		}
		for end := time.Now().Add(patience(r.c.cfg.MaxQueued < anyNumber)); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			for _, s := range all {
				if connOf(s).ClosedWith() == 3008 {
					return true
				}
			}
		}
		return false
	}, "parley.connector.shed", ""},
}

// Each limit is told and counted where it is set, and nothing is where it is
// switched off. (Joins and messages need a log: tests.TestRatesOfJoinsAndMessages.)
func TestEachLimitIsToldAndCounted(t *testing.T) {
	for name, c := range limitCases {
		for _, on := range []bool{true, false} {
			t.Run(fmt.Sprint(name, ", ", on), func(t *testing.T) {
				t.Parallel()
				reader := sdk.NewManualReader()
				r := newEdgeRig(t, withAuth, func(cfg *Config) {
					cfg.Meters = sdk.NewMeterProvider(sdk.WithReader(reader))
					for _, other := range limitCases {
						other.set(cfg, -1)
					}
					cfg.Limits.Channels = 1 // which is what may come at once
					if on {
						c.set(cfg, c.limit)
					}
				})
				if told := c.meet(r); told != on {
					t.Errorf("the client is told: %v", told)
				}
				counted := func() bool { return countOf(t, reader, c.metric, c.label) > 0 }
				if on {
					await.That(t, c.metric+" "+c.label+" counts it", counted)
				} else if counted() {
					t.Errorf("%s %s counts", c.metric, c.label)
				}
			})
		}
	}
}

// countOf is the value of a counter with a label.
func countOf(t *testing.T, reader *sdk.ManualReader, metric, label string) (n int64) {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			sum, ok := m.Data.(metricdata.Sum[int64])
			if m.Name != metric || !ok {
				continue
			}
			for _, p := range sum.DataPoints {
				for _, kv := range p.Attributes.ToSlice() {
					if kv.Value.AsString() == label {
						n += p.Value
					}
				}
				if p.Attributes.Len() == 0 && label == "" {
					n += p.Value
				}
			}
		}
	}
	return n
}
