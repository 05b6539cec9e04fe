package trace_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/ops/trace"
)

// answer serves what Jaeger's query API would.
func answer(t *testing.T, status int, kind, body string) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/api/traces/0af7651916cd43dd8448eb211c80319c" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// cut is a server whose answer ends before its length.
func cut(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte(`{"data":`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const (
	id       = "0af7651916cd43dd8448eb211c80319c"
	someJSON = "application/json"
)

func fetch(t *testing.T, url string) (*trace.Trace, error) {
	t.Helper()
	return trace.Fetch(t.Context(), url, id)
}

func TestPrint(t *testing.T) {
	url := answer(t, http.StatusOK, someJSON, `{"data":[{"traceID":"`+id+`","spans":[
		{"traceID":"`+id+`","spanID":"b","operationName":"send parley.events","startTime":1790000000000200,"duration":900,"processID":"p1",
		 "references":[{"refType":"CHILD_OF","traceID":"`+id+`","spanID":"a"}],
		 "tags":[{"key":"messaging.kafka.offset","type":"int64","value":17},{"key":"messaging.destination.partition.id","value":"3"}]},
		{"traceID":"`+id+`","spanID":"c","operationName":"process parley.events","startTime":1790000000000150,"duration":50,"processID":"p2",
		 "references":[{"refType":"CHILD_OF","traceID":"`+id+`","spanID":"b"},{"refType":"FOLLOWS_FROM","traceID":"ffff","spanID":"x"}],
		 "tags":[{"key":"error","value":true},{"key":"error.type","value":"1007"}]},
		{"traceID":"`+id+`","spanID":"a","operationName":"chat","startTime":1790000000000000,"duration":1500,"processID":"p1"}],
		"processes":{"p1":{"serviceName":"parley-connector"},"p2":{"serviceName":"parley-chatworker"}}}]}`)
	trace, err := fetch(t, url)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := trace.Print(&out); err != nil {
		t.Fatal(err)
	}
	const want = `trace 0af7651916cd43dd8448eb211c80319c, 3 spans, 2 services, 1.500 ms, began 2026-09-21 14:13:20.000 UTC
   +0.000 ms     1.500 ms  parley-connector   chat
   +0.200 ms     0.900 ms  parley-connector   └ send parley.events  partition=3  offset=17
   +0.150 ms     0.050 ms  parley-chatworker    └ process parley.events  FAILED  error=1007  link=ffff
`
	if out.String() != want {
		t.Errorf("printed\n%swant\n%s", &out, want)
	}
}

// Where one process is all of Parley, its parts are distinguished.
func TestPartsOfOneProcess(t *testing.T) {
	trace := trace.Trace{
		Spans: []trace.Span{
			{ID: "a", Trace: "t", Name: "chat", Process: "p", Tags: []trace.Tag{{Key: "otel.scope.name", Value: "github.com/parley-chat/parley/connector"}}},
			{ID: "b", Trace: "t", Name: "other", Process: "p"},
		},
		Processes: map[string]trace.Process{"p": {Service: "parley"}},
	}
	var out strings.Builder
	if err := trace.Print(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "parley connector  chat\n") || !strings.Contains(out.String(), "parley            other\n") {
		t.Errorf("printed\n%s", &out)
	}
}

// Whatever the store returns, every span is shown once, and nothing goes round
// in circles or to the terminal as a command.
func TestStrangeTraces(t *testing.T) {
	span := func(id, parent string) trace.Span {
		s := trace.Span{ID: id, Trace: "t", Name: "span \x1b[31m" + id}
		if parent != "" {
			s.References = []trace.Reference{{Kind: "CHILD_OF", Trace: "t", Span: parent}}
		}
		return s
	}
	trace := trace.Trace{Spans: []trace.Span{
		span("root", ""), span("child", "root"), span("child", "root"), span("lost", "nowhere"),
		span("one", "two"), span("two", "one"), span("below", "two"), span("self", "self"),
	}}
	var out strings.Builder
	if err := trace.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"root", "child", "lost", "one", "two", "below", "self"} {
		if n := strings.Count(out.String(), "m"+name); n != 1 {
			t.Errorf("%s is shown %d times", name, n)
		}
	}
	if strings.Contains(out.String(), "\x1b") || strings.Count(out.String(), "is not in the trace") != 3 {
		t.Errorf("printed\n%s", &out)
	}
}

func TestFetchFails(t *testing.T) {
	for name, c := range map[string]struct {
		url  string
		want string
	}{
		"unknown":     {answer(t, http.StatusNotFound, "text/plain", `{"data":null,"errors":[{"code":404,"msg":"trace not found"}]}`), trace.ErrNotFound.Error()},
		"empty":       {answer(t, http.StatusOK, someJSON, `{"data":[]}`), trace.ErrNotFound.Error()},
		"away":        {"http://127.0.0.1:1", "nothing answers at http://127.0.0.1:1"},
		"another":     {answer(t, http.StatusTeapot, "text/html", "tea"), "does not know this request"},
		"no JSON":     {answer(t, http.StatusOK, "text/html", "<html>"), "is it Jaeger's query API?"},
		"twice":       {answer(t, http.StatusOK, someJSON, `{"data":[{"spans":[{"spanID":"a"}]}],"data":[{"spans":[{"spanID":"b"}]}]}`), "is it Jaeger's query API?"},
		"cut":         {cut(t), "broke off"},
		"no address":  {"127.0.0.1:16686", "is not of the form"},
		"broken":      {answer(t, http.StatusInternalServerError, "text/plain", `{"errors":[{"code":500}]}`), "cannot return"},
		"other paths": {answer(t, http.StatusOK, someJSON, "") + "/elsewhere", "does not know this request"},
	} {
		_, err := fetch(t, c.url)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := fetch(t, answer(t, http.StatusNotFound, "text/plain", `{"errors":[{"code":404}]}`)); !errors.Is(err, trace.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}
