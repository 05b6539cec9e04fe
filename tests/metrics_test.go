package tests

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/telemetry"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/trust"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema/rpc"
)

var update = flag.Bool("update", false, "write the table of docs/metrics.md")

// page is what /metrics serves.
type page map[string]*dto.MetricFamily

// scrape reads the page as Prometheus does.
func scrape(t *testing.T, tel *telemetry.Telemetry) page {
	t.Helper()
	w := httptest.NewRecorder()
	tel.MetricsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value adds up the series of a metric that have these labels; of a histogram
// it is the number of values.
func (p page) value(name string, labels ...string) (sum float64) {
	for _, m := range p[name].GetMetric() {
		has := map[string]string{}
		for _, l := range m.Label {
			has[l.GetName()] = l.GetValue()
		}
		matches := true
		for i := 0; i < len(labels); i += 2 {
			matches = matches && has[labels[i]] == labels[i+1]
		}
		if matches {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return sum
}

// measured is a cluster with metrics.
func measured(t *testing.T) (*cluster, *telemetry.Telemetry) {
	tel, err := telemetry.Start(t.Context(), "parley-test", "test", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tel.Shutdown(context.WithoutCancel(t.Context())) })
	c := newCluster(t)
	c.meters = tel.Meters()
	return c, tel
}

// What is counted is what clients saw.
func TestMetricsCount(t *testing.T) {
	c, tel := measured(t)
	c.worker()
	c.projector()
	url := c.connector(nil).addr
	ada, bob := enter(t, url, "ada"), enter(t, url, "bob")
	joined := ada.join("lobby")
	bob.join("lobby")
	for i := range 3 {
		ada.chat("lobby", fmt.Sprint(i))
	}
	bob.chatWith(rpc.ChatParams{Channel: "lobby", Body: "psst", To: "ada"})
	for range 4 {
		ada.hears()
		bob.hears()
	}
	ada.refused(rpc.CodeNotJoined, rpc.MethodChat, rpc.ChatParams{Channel: "elsewhere", Body: "x"})
	eve := enter(t, url, "eve")
	eve.joinWith(rpc.JoinParams{Channel: "lobby", Since: &joined.Seq, Epoch: joined.Epoch})
	eve.history(rpc.HistoryParams{Channel: "lobby"})
	eve.members("lobby")
	eve.leave("lobby")
	eve.Cut()

	want := []struct {
		metric string
		labels []string
		value  float64
	}{
		{"parley_connector_messages_total", nil, 4},
		{"parley_connector_deliveries_total", nil, 8},
		{"parley_connector_delivery_duration_seconds", nil, 4},
		{"parley_connector_ack_duration_seconds", []string{"event", "chat"}, 4},
		{"parley_connector_requests_total", []string{"method", "chat", "result", "ok"}, 4},
		{"parley_connector_requests_total", []string{"method", "chat", "result", "refused"}, 1},
		{"parley_connector_requests_total", []string{"method", "hello", "result", "ok"}, 3},
		{"parley_connector_joins_total", []string{"result", "ok"}, 3},
		{"parley_connector_recoveries_total", []string{"result", "recovered"}, 1},
		{"parley_connector_upgrades_total", []string{"result", "ok"}, 3},
		{"parley_connector_closes_total", []string{"code", "1006"}, 1},
		{"parley_connector_connections", nil, 2},
		{"parley_connector_sessions", nil, 2},
		{"parley_connector_protocol_sessions", []string{"protocol", "jsonrpc"}, 2},
		{"parley_connector_protocol_sessions", []string{"protocol", "pomelo"}, 0},
		{"parley_connector_channels", nil, 1},
		{"parley_connector_incarnations_total", []string{"reason", "start"}, 1},
		{"parley_connector_incarnations_total", nil, 1},
		{"parley_connector_queue_bytes", nil, 0},
		{"parley_chatworker_partitions", []string{"state", "serving"}, 12},
		{"parley_chatworker_lag", nil, 0},
		{"parley_chatworker_keeper", nil, 1},
		{"parley_projector_rows_total", nil, 8}, // 4 chats, 3 joins, 1 leave
		{"parley_projector_lag", nil, 0},
		{"parley_projector_lag_age_seconds", nil, 0},
		{"parley_corrupt_records_total", nil, 0},
		{"parley_clickhouse_away", nil, 0},
		{"parley_kafka_away", nil, 0},
	}
	for _, w := range want {
		var got float64
		await.That(t, fmt.Sprintf("%s %v is %v", w.metric, w.labels, w.value), func() bool {
			p := scrape(t, tel)
			got = p.value(w.metric, w.labels...)
			return p[w.metric] != nil && got == w.value
		})
	}
}

// A WebSocket that is refused, as the connector is full, is counted, and its
// client is not told to stay away.
func TestMetricsOfAFullConnector(t *testing.T) {
	c, tel := measured(t)
	c.worker()
	url := c.connector(func(cfg *connector.Config) { cfg.MaxConnections = 1 }).addr
	enter(t, url, "ada")
	_, res, err := websocket.DefaultDialer.Dial(url, nil)
	if err == nil || res == nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Fatalf("the second one is answered with %+v, %v", res, err)
	}
	for metric, labels := range map[string][]string{
		"parley_connector_upgrades_total": {"result", "full"},
		"parley_connector_connections":    nil,
	} {
		await.That(t, fmt.Sprintf("%s %v is 1", metric, labels), func() bool { return scrape(t, tel).value(metric, labels...) == 1 })
	}
}

// smallBuffers makes connections for which the system keeps little, so that a
// queue fills up soon.
type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		err = conn.(*net.TCPConn).SetWriteBuffer(1 << 10)
	}
	return conn, err
}

// A client that reads nothing is counted as a slow consumer, and its queue is
// seen until then.
func TestMetricsOfASlowConsumer(t *testing.T) {
	c, tel := measured(t)
	c.worker()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Queue, cfg.Listener = 1<<20, smallBuffers{ln} }).addr
	slow := dial(t, url)
	if err := slow.NetConn().(*net.TCPConn).SetReadBuffer(1 << 10); err != nil {
		t.Fatal(err)
	}
	exchange(t, slow, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"slow"}}`)
	exchange(t, slow, `{"jsonrpc":"2.0","id":2,"method":"join","params":{"channel":"a"}}`)
	ada := enter(t, url, "ada")
	ada.join("a")
	chat := []byte(`{"jsonrpc":"2.0","method":"chat","params":{"channel":"a","body":"` + strings.Repeat("x", 4000) + `"}}`)
	const volley = 50
	queued := false
	await.That(t, "a slow consumer is counted", func() bool {
		p := scrape(t, tel)
		queued = queued || p.value("parley_connector_queue_largest_bytes") > 100_000
		counted := p.value("parley_connector_slow_consumers_total")
		if counted == 0 {
			for range volley {
				if err := ada.Send(chat); err != nil {
					t.Fatal(err)
				}
			}
			for range volley {
				ada.hears()
			}
		}
		return counted == 1 && p.value("parley_connector_closes_total", "code", "3008") == 1
	})
	if !queued {
		t.Error("its queue was never seen")
	}
}

const (
	tableBegin = "<!-- The table is written by: go test ./tests -run TestMetricsTable -update -->\n"
	tableEnd   = "<!-- The end of the table. -->\n"
)

// The table of docs/metrics.md has every metric, as it is served.
func TestMetricsTable(t *testing.T) {
	c, tel := measured(t)
	c.worker()
	c.projector()
	c.ingest()
	url := c.connector(nil).addr
	cert, key := certtest.New(t, 24*time.Hour).Write(t, t.TempDir())
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	c.hooksTo("", webhook.Receiver{URL: receiver.URL})
	certificate, err := trust.OpenServed(cert, key, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	c.connector(func(cfg *connector.Config) { cfg.Certificate = certificate })
	ada := enter(t, url, "ada")
	ada.join("lobby")
	ada.chat("lobby", "one")
	ada.hears()
	ada.search(rpc.SearchParams{Query: "one"})
	// The last ones to appear are a read of ClickHouse and a checkpoint.
	var served page
	await.That(t, "everything is measured", func() bool {
		served = scrape(t, tel)
		return served.value("parley_chatworker_checkpoint_duration_seconds") > 0 &&
			served.value("parley_connector_history_read_duration_seconds") > 0 &&
			served.value("parley_projector_batch_size") > 0 && served.value("parley_hooks_events_total") > 0 && len(served["parley_hooks_lag"].GetMetric()) > 0 &&
			len(served["parley_ingest_lag"].GetMetric()) > 0
	})
	name := filepath.Join(root, "docs", "metrics.md")
	text := readFile(t, name)
	before, rest, found := strings.Cut(text, tableBegin)
	table, after, ended := strings.Cut(rest, tableEnd)
	if !found || !ended {
		t.Fatalf("%s has no table between %q and %q", name, tableBegin, tableEnd)
	}
	want := served.table()
	if *update {
		if err := os.WriteFile(name, []byte(before+tableBegin+want+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	defer func() {
		if t.Failed() {
			t.Logf("run the command above the table. It should be:\n%s", want)
		}
	}()
	await.That(t, "the table of docs/metrics.md is what is served", func() bool {
		want = scrape(t, tel).table()
		return table == want
	})
}

// table lists the program's own metrics.
func (p page) table() string {
	var b strings.Builder
	b.WriteString("\n| metric | kind | labels | what it is |\n|---|---|---|---|\n")
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if !strings.HasPrefix(name, "parley_") {
			continue
		}
		labels := map[string]bool{}
		for _, m := range p[name].Metric {
			for _, l := range m.Label {
				labels["`"+l.GetName()+"`"] = true
			}
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", name, strings.ToLower(p[name].GetType().String()),
			strings.Join(slices.Sorted(maps.Keys(labels)), ", "), p[name].GetHelp())
	}
	return b.String() + "\n"
}
