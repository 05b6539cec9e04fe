package tests

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	jaeger "github.com/parley-chat/parley/internal/ops/trace"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema/rpc"
)

// jaegerProgram is what `make jaeger` builds.
const jaegerProgram = "../bin/jaeger"

// needJaeger skips a test by name where there is no Jaeger. CI must have it.
func needJaeger(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(jaegerProgram); errors.Is(err, os.ErrNotExist) {
		if os.Getenv("CI") == "true" {
			t.Fatalf("there is no %s: run `make jaeger`", jaegerProgram)
		}
		t.Skipf("there is no %s: run `make jaeger`", jaegerProgram)
	}
}

// store is a running Jaeger.
type store struct {
	t           *testing.T
	query, grpc string // URLs
}

func startJaeger(t *testing.T) *store {
	t.Helper()
	needJaeger(t)
	ports := map[string]string{}
	for _, name := range []string{"JAEGER_QUERY_PORT", "JAEGER_QUERY_GRPC_PORT", "JAEGER_OTLP_GRPC_PORT", "JAEGER_OTLP_HTTP_PORT"} {
		_, port, err := net.SplitHostPort(freeport.AddressFor(t))
		if err != nil {
			t.Fatal(err)
		}
		ports[name] = port
		t.Setenv(name, port)
	}
	t.Setenv("JAEGER_UI", "../deploy/jaeger/ui")
	startProgram(t, jaegerProgram, "--config", "../deploy/jaeger/config.yaml")
	s := &store{t: t, query: "http://127.0.0.1:" + ports["JAEGER_QUERY_PORT"], grpc: "http://127.0.0.1:" + ports["JAEGER_OTLP_GRPC_PORT"]}
	await.That(t, "Jaeger answers", func() bool {
		_, err := s.fetch(strings.Repeat("1", 32))
		return errors.Is(err, jaeger.ErrNotFound)
	})
	return s
}

func (s *store) fetch(id string) (*jaeger.Trace, error) { return jaeger.Fetch(soon(s.t), s.query, id) }

// await waits until the store has every hop of a trace that is wanted. Hops of
// a worker may be there twice, when a partition changes hands; others than those
// that are wanted fail the test.
func (s *store) await(id string, want []string) *jaeger.Trace {
	s.t.Helper()
	var trace *jaeger.Trace
	var have []string
	defer func() {
		if s.t.Failed() {
			s.t.Logf("trace %s has\n%s\nwant\n%s", id, strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
	}()
	await.That(s.t, "every hop of the trace is there", func() bool {
		var err error
		if trace, err = s.fetch(id); err != nil {
			return false
		}
		have = hops(trace)
		missing := slices.Clone(want)
		for _, hop := range have {
			if i := slices.Index(missing, hop); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
			}
		}
		return len(missing) == 0
	})
	for _, hop := range have {
		if !slices.Contains(want, hop) {
			s.t.Errorf("the trace has another hop: %s", hop)
		}
	}
	return trace
}

// traces are the ids of traces that begin with an operation of a service.
func (s *store) traces(service, operation string) (ids []string) {
	s.t.Helper()
	query := url.Values{
		"service": {service}, "operation": {operation}, "limit": {"100"},
		"start": {strconv.FormatInt(time.Now().Add(-time.Hour).UnixMicro(), 10)}, "end": {strconv.FormatInt(time.Now().UnixMicro(), 10)},
	}
	response, err := http.Get(s.query + "/api/traces?" + query.Encode())
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		Data []struct {
			ID string `json:"traceID"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		s.t.Fatal(err)
	}
	for _, d := range answer.Data {
		ids = append(ids, d.ID)
	}
	return ids
}

// hops are the spans of a trace as "service: name < name of the parent", in
// order. An orphan is marked as one.
func hops(trace *jaeger.Trace) (all []string) {
	var walk func(n *jaeger.Node, parent string)
	walk = func(n *jaeger.Node, parent string) {
		all = append(all, fmt.Sprintf("%s: %s < %s", trace.Processes[n.Span.Process].Service, n.Span.Name, parent))
		for _, c := range n.Children {
			walk(c, n.Span.Name)
		}
	}
	for _, root := range trace.Tree() {
		if root.Orphan {
			all = append(all, fmt.Sprintf("(%s: %s, whose parent is not there yet)", trace.Processes[root.Span.Process].Service, root.Span.Name))
			continue
		}
		walk(root, "")
	}
	slices.Sort(all)
	return all
}

const (
	requestHop = "parley-connector: %s < "
	sendHop    = "parley-connector: send parley.events < %s"
	workHop    = "parley-chatworker: process parley.events < send parley.events"
	pushHop    = "parley-chatworker: send parley.push < process parley.events"
	fanOutHop  = "parley-connector: process parley.push < send parley.push"
	projectHop = "parley-projector: process parley.events < send parley.events"
)

// wayOf are the hops of a request whose event goes to that many connectors.
func wayOf(method string, connectors int, more ...string) []string {
	way := append([]string{fmt.Sprintf(requestHop, method), fmt.Sprintf(sendHop, method), workHop}, more...)
	for range connectors {
		way = append(way, pushHop, fanOutHop)
	}
	slices.Sort(way)
	return way
}

// One message is one trace over all processes, every parent in it. So is a
// join, with the read of history in ClickHouse and in the log. Wherever a
// message is read, it names its trace.
func TestOneMessageIsOneTrace(t *testing.T) {
	onEmbeddedBroker(t)
	embeddedtest.NeedEngine(t)
	s := startJaeger(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", s.grpc)
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
	r := startRoles(t)
	ada := enter(t, r.urls[0], "ada")
	ada.join("lobby")
	const theirs = "0af7651916cd43dd8448eb211c80319c"
	ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "first", Traceparent: "00-" + theirs + "-b7ad6b7169203331-01"})
	first := ada.hears()
	trace := s.await(first.Trace, wayOf("chat", 1, projectHop))
	checkAttributes(t, trace, first, theirs)

	// What ada says now is in the log alone when bob joins.
	r.projector.signal(syscall.SIGTERM)
	ada.chat("lobby", "second")
	second := ada.hears()
	s.await(second.Trace, wayOf("chat", 1))
	bob := enter(t, r.urls[1], "bob")
	joined := bob.join("lobby")
	checkTraces(t, "history", joined.Messages, first, second)
	s.await(s.joinWithHistory(), wayOf("join", 2,
		"parley-connector: read history < join",
		"parley-connector: SELECT watermarks_1 < read history",
		"parley-connector: SELECT changes_1 < read history",
		"parley-connector: SELECT epochs < read history",
		"parley-connector: SELECT events_1 < read history",
		"parley-connector: poll parley.events < read history"))

	ada.chat("lobby", "third")
	third := bob.hears()
	s.await(third.Trace, wayOf("chat", 2))
	again := bob.joinWith(rpc.JoinParams{Channel: "lobby", Since: ptr(first.Seq - 1), Epoch: joined.Epoch})
	checkTraces(t, "the ring, on recovery", again.Messages, first, second, third)
	checkTraceCommand(t, s, first.Trace, len(wayOf("chat", 1, projectHop)))
}

// joinWithHistory is the trace of the join that read history in ClickHouse and
// in the log.
func (s *store) joinWithHistory() (id string) {
	s.t.Helper()
	await.That(s.t, "the trace of the join is there", func() bool {
		for _, id = range s.traces("parley-connector", "join") {
			trace, err := s.fetch(id)
			has := func(name string) bool {
				return slices.ContainsFunc(trace.Spans, func(s jaeger.Span) bool { return s.Name == name })
			}
			if err == nil && has("SELECT events_1") && has("poll parley.events") {
				return true
			}
		}
		return false
	})
	return id
}

func checkTraces(t *testing.T, where string, messages []rpc.Message, want ...rpc.ChatPush) {
	t.Helper()
	var got, traces []string
	for _, m := range messages {
		got = append(got, m.Trace)
	}
	for _, m := range want {
		traces = append(traces, m.Trace)
	}
	if !slices.Equal(got, traces) || slices.Contains(got, "") {
		t.Errorf("%s has traces %q, want %q", where, got, traces)
	}
}

// checkAttributes checks a message's trace against the semantic conventions.
func checkAttributes(t *testing.T, trace *jaeger.Trace, m rpc.ChatPush, client string) {
	t.Helper()
	want := map[string]map[string]string{
		"chat": {"span.kind": "server", "rpc.system.name": "jsonrpc", "rpc.method": "chat"},
		"send parley.events": {"span.kind": "producer", "messaging.system": "kafka", "messaging.destination.name": "parley.events",
			"messaging.operation.name": "send", "messaging.operation.type": "send", "messaging.kafka.offset": strconv.FormatInt(m.Seq, 10)},
		"process parley.events": {"span.kind": "consumer", "messaging.operation.type": "process", "messaging.kafka.offset": strconv.FormatInt(m.Seq, 10)},
		"send parley.push":      {"span.kind": "producer", "messaging.destination.name": "parley.push"},
		"process parley.push":   {"span.kind": "consumer", "messaging.destination.name": "parley.push", "parley.members": "1"},
	}
	for i := range trace.Spans {
		s := &trace.Spans[i]
		for key, value := range want[s.Name] {
			if s.Tag(key) != value {
				t.Errorf("%s has %s=%q, want %q", s.Name, key, s.Tag(key), value)
			}
		}
		if s.Name != "chat" && s.Tag("messaging.destination.partition.id") == "" {
			t.Errorf("%s names no partition", s.Name)
		}
		links := s.Links()
		switch service := trace.Processes[s.Process].Service; {
		case s.Name == "chat" && (len(links) != 1 || links[0].Trace != client):
			t.Errorf("chat has links %v, want one to the client's trace", links)
		case service == "parley-projector" && len(links) == 0:
			t.Errorf("the projector's span has links %v, want one to the insert", links)
		case service == "parley-chatworker" && s.Name == "process parley.events" && s.Tag("messaging.consumer.group.name") != "parley-chatworker":
			t.Errorf("the chat worker's span names group %q", s.Tag("messaging.consumer.group.name"))
		}
	}
}

// checkTraceCommand has `parley trace` print what the store has, and refuse
// what it has not.
func checkTraceCommand(t *testing.T, s *store, id string, spans int) {
	t.Helper()
	run := func(args ...string) (string, int) {
		p := start(t, append([]string{"trace"}, args...)...)
		<-p.done
		return p.out.String(), p.cmd.ProcessState.ExitCode()
	}
	out, code := run(id, "--jaeger", s.query)
	if code != 0 || strings.Count(out, "\n") < 1+spans || !strings.Contains(out, "└ process parley.push  partition=") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	t.Logf("parley trace prints\n%s", out)
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{strings.Repeat("12", 16), "--jaeger", s.query}, 1, "there is no trace"},
		{[]string{"12", "--jaeger", s.query}, 2, "it takes the 32 hex digits"},
		{[]string{id, "--jaeger", "http://" + freeport.AddressFor(t)}, 1, "nothing answers"},
	} {
		if out, code := run(c.args...); code != c.code || !strings.Contains(out, c.want) || strings.Count(out, "\n") != 1 {
			t.Errorf("%v: exit code %d, %s", c.args, code, out)
		}
	}
}
