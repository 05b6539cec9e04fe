package screen

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

func anything(Verdict) *rpc.Error { return nil }

func TestAnswers(t *testing.T) {
	for _, c := range []struct{ answer, outcome string }{
		{`{"allow":true}`, Allowed},
		{`{"allow":true,"score":0.1}`, Allowed},
		{`{"replace":{"body":"b"}}`, Replaced},
		{`{"replace":{"data":null}}`, Replaced},
		{`{"deny":{}}`, Denied},
		{`{"deny":{"reason":"be kind"}}`, Denied},
		{`{"allow":false}`, ""},
		{`{"allow":true,"deny":{}}`, ""},
		{`{"replace":{},"deny":{}}`, ""},
		{`{"deny":null}`, ""},
		{`{"deny":true}`, ""},
		{`{"allow":"true"}`, ""},
		{`{"replace":{"body":null}}`, ""},
		{`{"replace":{}}`, ""},
		{`{"replace":{"text":"b"}}`, ""},
		{`{"replace":{"body":1}}`, ""},
		{`{"deny":{"reason":"` + strings.Repeat("x", 201) + `"}}`, ""},
		{`{"allow":true,"allow":true}`, ""},
		{`[]`, ""}, {`null`, ""}, {``, ""}, {`{`, ""}, {"\xff", ""},
		{`{"allow":true}` + strings.Repeat(" ", webhook.MaxAnswer), ""},
	} {
		v, err := parse([]byte(c.answer))
		if (err == nil) != (c.outcome != "") || err == nil && v.Outcome() != c.outcome {
			t.Errorf("%.60s: %s, %v; want %q", c.answer, v.Outcome(), err, c.outcome)
		}
	}
}

// Why there was no answer is logged, once in a while, and that nobody is asked any more
// is once.
func TestFailuresAreLogged(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	defer s.Close()
	var logged bytes.Buffer
	asks, err := New(Config{Receiver: webhook.Receiver{URL: s.URL, Timeout: time.Minute}, Log: slog.New(slog.NewTextHandler(&logged, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer asks.Close()
	for range failuresInARow + 5 {
		if _, outcome, err := asks.Ask(context.Background(), Question{Kind: "chat", ID: "1", Body: "x"}, anything); err == nil {
			t.Fatalf("the outcome is %s", outcome)
		}
	}
	if text := logged.String(); strings.Count(text, "answered 418") != 1 || strings.Count(text, "20 times in a row") != 1 {
		t.Errorf("it is logged:\n%s", text)
	}
}

// A text that has an answer which cannot be published is its author's doing: it keeps
// nobody else from being asked about, however often it comes.
func TestAnswersThatDoNotFit(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"replace":{"body":"long"}}`) }))
	defer s.Close()
	asks, err := New(Config{Receiver: webhook.Receiver{URL: s.URL, Timeout: time.Minute}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer asks.Close()
	for range failuresInARow {
		_, outcome, err := asks.Ask(context.Background(), Question{Kind: "chat", ID: "1", Body: "x"}, func(Verdict) *rpc.Error { return rpc.TooLarge(3) })
		if outcome != Failed || err == nil {
			t.Fatalf("the outcome is %s: %v", outcome, err)
		}
	}
	if _, outcome, err := asks.Ask(context.Background(), Question{Kind: "chat", ID: "2", Body: "y"}, anything); outcome != Replaced {
		t.Errorf("another text is not asked about: the outcome is %s: %v", outcome, err)
	}
}

// What is asked is as long as docs/architecture.md says, for the worst text within the
// limits of clients.
func TestQuestionsAreShort(t *testing.T) {
	name := strings.Repeat(`"`, schema.MaxName)
	tag := func(size int) json.RawMessage { return json.RawMessage(`"` + strings.Repeat("<", size-2) + `"`) }
	body, err := write(&Question{
		Kind: "chat", Channel: name, User: name, To: name, ID: strings.Repeat("\x01", schema.MaxID), Type: strings.Repeat("\x01", schema.MaxType), Retry: true,
		Body: strings.Repeat("\x01", 4096), Data: tag(4096), Info: tag(schema.MaxInfo),
		Mentions: slices.Repeat([]string{name}, schema.MaxMentions), Reply: math.MaxInt64,
	})
	if err != nil || len(body) > 44<<10 {
		t.Errorf("the question has %d bytes: %v", len(body), err)
	}
}

// FuzzAnswer: whatever a program answers is one of three, or an error.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"allow":true}`, `{"replace":{"body":"b","data":{"a":[1]}}}`, `{"deny":{"reason":"no"}}`, `{"allow":1}`, `[`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, answer []byte) {
		v, err := parse(answer)
		if err == nil && !v.Allow && v.Replace == nil && v.Deny == nil {
			t.Errorf("%q says nothing", answer)
		}
	})
}

// No more are asked at once than there are turns, however many texts come, and those
// who get none in time are told so.
//
//parley:bound questions before a text
func TestQuestionsAreBounded(t *testing.T) {
	var now, most atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for n := now.Add(1); ; {
			if m := most.Load(); n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
		now.Add(-1)
	}))
	defer s.Close()
	defer s.CloseClientConnections()
	asks, err := New(Config{Receiver: webhook.Receiver{URL: s.URL, Timeout: time.Minute}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer asks.Close()
	asked := func(ctx context.Context, many int, data json.RawMessage) <-chan string {
		outcomes := make(chan string, many)
		for i := range many {
			go func() {
				_, outcome, _ := asks.Ask(ctx, Question{Kind: "chat", ID: fmt.Sprint(i), Body: strings.Repeat("x", 4096), Data: data}, anything)
				outcomes <- outcome
			}()
		}
		return outcomes
	}
	ctx, cancel := context.WithCancel(context.Background())
	first := asked(ctx, concurrent, nil)
	await.That(t, "all turns are taken", func() bool { return now.Load() == concurrent })
	const more = 50
	impatient, enough := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer enough()
	// Written for its turn alone: of these JSON can make nothing, and six times as much of
	// others.
	late := asked(impatient, more, json.RawMessage("{"))
	for range more {
		if outcome := <-late; outcome != Skipped {
			t.Errorf("where all turns are taken, the outcome is %s", outcome)
		}
	}
	if most.Load() != concurrent {
		t.Errorf("%d were asked at once", most.Load())
	}
	cancel()
	for range concurrent {
		<-first
	}
}
