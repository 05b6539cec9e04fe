// Package trace is `parley trace`: it reads a trace from Jaeger's query API and
// shows it as a tree.
package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/parley-chat/parley/schema/strict"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// ErrNotFound means that the store has no trace of that id.
var ErrNotFound = errors.New("no such trace")

// Trace is what the store has of a trace. Nothing in it is to be relied on:
// spans may be missing, may appear twice, or name parents in a circle.
type Trace struct {
	Spans     []Span             `json:"spans"`
	Processes map[string]Process `json:"processes"`
}

// Span is one span as the query API returns it.
type Span struct {
	ID         string      `json:"spanID"`
	Trace      string      `json:"traceID"`
	Name       string      `json:"operationName"`
	References []Reference `json:"references"`
	Start      int64       `json:"startTime"` // microseconds since the Unix epoch
	Duration   int64       `json:"duration"`  // microseconds
	Tags       []Tag       `json:"tags"`
	Process    string      `json:"processID"`
}

// Reference names another span: the parent, or one that is linked to.
type Reference struct {
	Kind  string `json:"refType"`
	Trace string `json:"traceID"`
	Span  string `json:"spanID"`
}

// Tag is an attribute.
type Tag struct {
	Key   string `json:"key"`
	Value any    `json:"value"`
}

// Process is who exported a span.
type Process struct {
	Service string `json:"serviceName"`
	Tags    []Tag  `json:"tags"`
}

// Parent is the id of the span's parent; "" for a root.
func (s *Span) Parent() string {
	for _, r := range s.References {
		if r.Kind == "CHILD_OF" && r.Trace == s.Trace {
			return r.Span
		}
	}
	return ""
}

// Links are the spans of other traces that had to do with this one.
func (s *Span) Links() []Reference {
	var links []Reference
	for _, r := range s.References {
		if r.Trace != s.Trace {
			links = append(links, r)
		}
	}
	return links
}

// Tag is the value of an attribute as text; "" without it.
func (s *Span) Tag(key string) string {
	for _, t := range s.Tags {
		if t.Key == key {
			return textOf(t.Value)
		}
	}
	return ""
}

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case float64:
		return strings.TrimSuffix(fmt.Sprintf("%.3f", v), ".000")
	default:
		return fmt.Sprint(v)
	}
}

// Fetch asks the query API at a base URL for a trace, by its id in hex. It
// waits as long as ctx allows. ErrNotFound means that the store answered and has
// no such trace.
func Fetch(ctx context.Context, base, id string) (*Trace, error) {
	from, err := url.Parse(base)
	if err != nil || from.Host == "" || from.Scheme != "http" && from.Scheme != "https" {
		return nil, errors.New("the address of Jaeger's query API is not of the form http://host:port")
	}
	shown := from.Redacted()
	// #nosec G125 -- an id is 32 hex digits
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.JoinPath("api", "traces", id).String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask Jaeger: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: 30 * time.Second}}
	response, err := client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which is in the message already
		}
		return nil, fmt.Errorf("nothing answers at %s, start Jaeger or name another address: %w", shown, err)
	}
	defer response.Body.Close()
	return decode(response, shown)
}

func decode(response *http.Response, shown string) (*Trace, error) {
	var answer struct {
		Data   []Trace `json:"data"`
		Errors []struct {
			Code int `json:"code"`
		} `json:"errors"`
	}
	limited := &io.LimitedReader{R: response.Body, N: maxAnswer}
	text, err := io.ReadAll(limited)
	if err != nil {
		return nil, fmt.Errorf("the answer of the query API at %s broke off, ask again: %w", shown, err)
	}
	err = strict.Unmarshal(text, &answer)
	switch {
	case limited.N <= 0:
		return nil, fmt.Errorf("the trace is larger than %d MB and is not shown", maxAnswer>>20)
	case err != nil || response.StatusCode != http.StatusOK && len(answer.Errors) == 0:
		return nil, fmt.Errorf("the server at %s does not know this request (%s): is it Jaeger's query API?", shown, response.Status)
	case response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNotFound:
		return nil, fmt.Errorf("the query API at %s cannot return the trace now: %s", shown, response.Status)
	case len(answer.Data) == 0 || len(answer.Data[0].Spans) == 0:
		return nil, ErrNotFound
	}
	return &answer.Data[0], nil
}
