package check

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"
)

// alert is one rule of Prometheus.
type alert struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

// alerts are all rules that are shipped.
func alerts(t *testing.T) (all []alert) {
	t.Helper()
	var file struct{ Groups []struct{ Rules []alert } }
	if err := yaml.Unmarshal(read(t, "deploy/prometheus/alerts.yaml"), &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	if len(all) == 0 {
		t.Fatal("there are no alerts")
	}
	return all
}

// panel is one of a Grafana dashboard.
type panel struct {
	Title   string
	Targets []struct{ Expr string }
}

// panels are those of the dashboard that is shipped.
func panels(t *testing.T) []panel {
	t.Helper()
	var board struct{ Panels []panel }
	if err := json.Unmarshal(read(t, "deploy/grafana/dashboards/parley.json"), &board); err != nil {
		t.Fatal(err)
	}
	if len(board.Panels) == 0 {
		t.Fatal("the dashboard has no panels")
	}
	return board.Panels
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// selectors are what a PromQL expression selects.
func selectors(t *testing.T, where, expr string) (all []*parser.VectorSelector) {
	t.Helper()
	expr = strings.ReplaceAll(expr, "$__rate_interval", "1m") // which Grafana fills in
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr)
	if err != nil {
		t.Errorf("%s: %v", where, err)
		return nil
	}
	parser.Inspect(parsed, func(n parser.Node, _ []parser.Node) error {
		if s, ok := n.(*parser.VectorSelector); ok {
			all = append(all, s)
		}
		return nil
	})
	return all
}

// What alerts and dashboard ask for is what a running system serves: names,
// labels, and the values that they are compared with.
func TestEveryMetricIsServed(t *testing.T) {
	asked := map[string][]*parser.VectorSelector{}
	for _, a := range alerts(t) {
		asked["alert "+a.Alert] = selectors(t, a.Alert, a.Expr)
	}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			asked["panel "+p.Title] = append(asked["panel "+p.Title], selectors(t, p.Title, target.Expr)...)
		}
	}
	admins := runAndSpeak(t)
	var missing []string
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		served := map[string]*dto.MetricFamily{}
		for _, admin := range admins {
			for name, family := range scrape(t, admin) {
				if served[name] == nil {
					served[name] = family
				}
			}
		}
		missing = lacks(served, asked)
		if len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) { // what is measured last is a checkpoint, after seconds
			t.Fatalf("not served:\n%s", strings.Join(missing, "\n"))
		}
	}
}

// ofPrometheus are the metrics and labels that Prometheus makes itself.
var ofPrometheus = map[string]bool{"up": true, "job": true, "instance": true}

func lacks(served map[string]*dto.MetricFamily, asked map[string][]*parser.VectorSelector) (missing []string) {
	for where, all := range asked {
		for _, s := range all {
			name := s.Name
			if ofPrometheus[name] {
				continue
			}
			family := served[name]
			if family == nil { // a part of a histogram
				for _, suffix := range []string{"_bucket", "_count", "_sum"} {
					if f := served[strings.TrimSuffix(name, suffix)]; f != nil && f.GetType() == dto.MetricType_HISTOGRAM {
						family = f
					}
				}
			}
			if family == nil {
				missing = append(missing, where+": "+name)
				continue
			}
			for _, m := range s.LabelMatchers {
				if m.Name != "__name__" && !ofPrometheus[m.Name] && !matched(family, m.Name, m.Matches) {
					missing = append(missing, fmt.Sprintf("%s: %s with %s", where, name, m))
				}
			}
		}
	}
	return missing
}

func matched(family *dto.MetricFamily, label string, matches func(string) bool) bool {
	for _, m := range family.Metric {
		for _, l := range m.Label {
			if l.GetName() == label && matches(l.GetValue()) {
				return true
			}
		}
	}
	return false
}

func scrape(t *testing.T, admin string) map[string]*dto.MetricFamily {
	t.Helper()
	res, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	p := expfmt.NewTextParser(model.UTF8Validation)
	families, err := p.TextToMetricFamilies(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

var (
	adminLine = regexp.MustCompile(`health is served" address=(\S+)`)
	chatLine  = regexp.MustCompile(`parley is ready" chat=https://(\S+)`)
)

// runAndSpeak starts a whole system, hooks and ingest beside it, says something in it,
// and returns their admin addresses.
func runAndSpeak(t *testing.T) (admins []string) {
	t.Helper()
	whole := filepath.Join(t.TempDir(), "parley") // with the engine, unlike the one for questions
	build := exec.Command("go", "build", "-o", whole, ".")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("the program cannot be built: %v\n%s", err, out)
	}
	keys := chosen["PARLEY_SECRETS"] // some metrics are about certificates
	data := t.TempDir()
	up := runs(t, []*regexp.Regexp{adminLine, chatLine}, whole, "up", "--listen", "127.0.0.1:0", "--data", data, "--tls-cert", keys+"/tls.crt", "--tls-key", keys+"/tls.key")
	receiver := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(receiver.Close)
	hooks := runs(t, []*regexp.Regexp{adminLine}, whole, "hooks", "--data", data, "--url", receiver.URL, "--from", "beginning")
	speak(t, "wss://"+up[1]+"/ws", keys+"/tls.crt")
	ingest := runs(t, []*regexp.Regexp{adminLine}, whole, "ingest", "--data", data)
	return []string{up[0], hooks[0], ingest[0]}
}

// runs starts a command, which is stopped when the test ends, and returns what
// its log says where lines of it match.
func runs(t *testing.T, says []*regexp.Regexp, program string, args ...string) (said []string) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = root // beside which the engine is found
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := cmd.Process.Signal(syscall.SIGTERM)
		_, _ = io.Copy(io.Discard, out)
		if err := errors.Join(err, cmd.Wait()); err != nil {
			t.Errorf("parley %s: %v", args[0], err)
		}
	})
	var lines []string
	for log := bufio.NewScanner(out); log.Scan(); {
		lines = append(lines, log.Text())
		if m := says[len(said)].FindStringSubmatch(log.Text()); m != nil {
			said = append(said, m[1])
		}
		if len(said) == len(says) {
			go func() { _, _ = io.Copy(io.Discard, out) }()
			return said
		}
	}
	t.Fatalf("parley %s is not ready:\n%s", args[0], strings.Join(lines, "\n"))
	return nil
}

// speak joins a channel, says something and hears it.
func speak(t *testing.T, url, certificate string) {
	t.Helper()
	pem, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(pem)
	dialer := websocket.Dialer{TLSClientConfig: &tls.Config{RootCAs: trusted}}
	ws, _, err := dialer.Dial(url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	for i, request := range []string{
		`"method":"hello","params":{"user":"ada"}`, `"method":"join","params":{"channel":"lobby"}`, `"method":"chat","params":{"channel":"lobby","body":"hi"}`,
	} {
		if err := ws.WriteMessage(websocket.TextMessage, fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%d,%s}`, i, request)); err != nil {
			t.Fatal(err)
		}
	}
	if err := ws.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	for heard := false; !heard; {
		_, message, err := ws.ReadMessage()
		if err != nil {
			t.Fatal(err)
		}
		heard = strings.Contains(string(message), `"body":"hi"`)
	}
}

// Whoever is called by an alert finds its metric on the dashboard.
func TestAlertsAreOnTheDashboard(t *testing.T) {
	shown := map[string]bool{}
	for _, p := range panels(t) {
		for _, target := range p.Targets {
			for _, s := range selectors(t, p.Title, target.Expr) {
				shown[s.Name] = true
			}
		}
	}
	for _, a := range alerts(t) {
		for _, s := range selectors(t, a.Alert, a.Expr) {
			if !ofPrometheus[s.Name] && !shown[s.Name] {
				t.Errorf("no panel shows %s, which %s asks for", s.Name, a.Alert)
			}
		}
	}
}

// Every alert says how bad it is, and leads to what to do.
func TestAlertsHaveRunbooks(t *testing.T) {
	text := string(read(t, "docs/metrics.md"))
	for _, a := range alerts(t) {
		if s := a.Labels["severity"]; s != "critical" && s != "warning" {
			t.Errorf("%s has severity %q", a.Alert, s)
		}
		if want := "docs/metrics.md#" + strings.ToLower(a.Alert); a.Annotations["runbook"] != want || a.Annotations["summary"] == "" {
			t.Errorf("%s has annotations %v, and its runbook is to be %s", a.Alert, a.Annotations, want)
		}
		if !strings.Contains(text, "### "+a.Alert+"\n") {
			t.Errorf("docs/metrics.md has no heading for %s", a.Alert)
		}
	}
}

// promtool asks Prometheus' own judge.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command(need(t, "promtool", "Debian's package prometheus has it"), args...)
	cmd.Dir = filepath.Join(root, "deploy/prometheus")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("promtool %v: %v\n%s", args, err, out)
	}
}

// Prometheus takes the configuration, each alert fires when it should, and
// keeps quiet when it should not; no alert is without a test of both.
func TestAlertRules(t *testing.T) {
	promtool(t, "check", "config", "prometheus.yaml")
	promtool(t, "test", "rules", "alerts.test.yaml")
	tests := string(read(t, "deploy/prometheus/alerts.test.yaml"))
	for _, a := range alerts(t) {
		for _, does := range []string{" fires", " keeps quiet"} {
			if !strings.Contains(tests, "name: "+a.Alert+does+"\n") {
				t.Errorf("alerts.test.yaml has no test named %q", a.Alert+does)
			}
		}
	}
}
