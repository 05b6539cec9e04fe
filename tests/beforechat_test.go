package tests

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/screen"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema/rpc"
)

// censor is a program that is asked before texts are published: by the first word of a
// text it knows what to answer.
type censor struct {
	mu    sync.Mutex
	asked []screen.Question
	down  bool
}

func (c *censor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q screen.Question
	if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.asked = append(c.asked, q)
	down := c.down
	c.mu.Unlock()
	if down {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	word, _, _ := strings.Cut(q.Body, " ")
	answers := map[string]string{
		"bad": `{"deny":{"reason":"be kind"}}`, "rude": `{"replace":{"body":"r*de","data":{"was":"rude"}}}`,
		"empty": `{"replace":{"body":""}}`, "both": `{"allow":true,"deny":{"reason":"no"}}`, "none": `{}`, "html": `<html>`,
		"null": `null`, "huge": `{"allow":true,"more":"` + strings.Repeat("x", 1<<20) + `"}`, "long": `{"deny":{"reason":"` + strings.Repeat("x", 201) + `"}}`,
	}
	switch word {
	case "slow":
		<-r.Context().Done()
		return
	case "late":
		time.Sleep(100 * time.Millisecond)
	case "moved":
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	}
	if answers[word] == "" {
		answers[word] = `{"allow":true}`
	}
	_, _ = w.Write([]byte(answers[word]))
}

func (c *censor) questions() []screen.Question {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]screen.Question(nil), c.asked...)
}

func (c *censor) fail(down bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.down = down
}

// screened starts a connector that asks a censor.
func screened(t *testing.T, failOpen bool) (*censor, string) {
	t.Helper()
	c := &censor{}
	s := httptest.NewServer(c)
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	asks, err := screen.New(screen.Config{
		Receiver: webhook.Receiver{URL: s.URL, Timeout: 4 * time.Second}, FailOpen: failOpen, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	cluster := newCluster(t)
	cluster.worker()
	cluster.projector()
	r := cluster.connector(func(cfg *connector.Config) { cfg.BeforeChat = asks })
	return c, r.addr
}

func TestBeforeChat(t *testing.T) {
	c, url := screened(t, false)
	ann, bob := enter(t, url, "ann"), enter(t, url, "bob")
	ann.join("c")
	bob.join("c")

	ann.chat("c", "fine")
	if m := bob.hears(); m.Body != "fine" {
		t.Errorf("bob hears %q", m.Body)
	}
	denied := ann.refused(rpc.CodeForbidden, rpc.MethodChat, rpc.ChatParams{Channel: "c", Body: "bad word"})
	if denied.Data == nil || denied.Data.Action != rpc.ActionBeforeChat || denied.Data.Reason != "be kind" {
		t.Errorf("the refusal says %+v", denied.Data)
	}
	r := ann.chat("c", "rude word")
	if m := bob.hears(); m.Body != "r*de" || string(m.Data) != `{"was":"rude"}` || m.Seq != r.Seq {
		t.Errorf("bob hears %q with %s", m.Body, m.Data)
	}

	// What was published before is not asked about again, and not twice in the log.
	before := len(c.questions())
	first := ann.chatWith(rpc.ChatParams{Channel: "c", Body: "once", ID: "1"})
	if m := bob.hears(); m.Body != "once" {
		t.Errorf("bob hears %q", m.Body)
	}
	again := ann.chatWith(rpc.ChatParams{Channel: "c", Body: "once", ID: "1", Retry: true})
	if first.Seq != again.Seq || len(c.questions()) != before+1 {
		t.Errorf("it is stored at %d and %d, and was asked about %d times", first.Seq, again.Seq, len(c.questions())-before)
	}

	// Edits and private messages are asked about too.
	ann.refused(rpc.CodeForbidden, rpc.MethodEdit, rpc.EditParams{Channel: "c", Seq: first.Seq, Body: "bad edit"})
	ann.chatWith(rpc.ChatParams{Channel: "c", Body: "psst", To: "bob"})
	if m := bob.hears(); m.Body != "psst" {
		t.Errorf("bob hears %q", m.Body)
	}
	asked := c.questions()
	edit, private := asked[len(asked)-2], asked[len(asked)-1]
	if edit.Kind != "edit" || edit.Seq != first.Seq || edit.User != "ann" || edit.Channel != "c" || edit.ID == "" {
		t.Errorf("of the edit it was asked %+v", edit)
	}
	if private.Kind != "chat" || private.To != "bob" {
		t.Errorf("of the private message it was asked %+v", private)
	}
}

// Answers that cannot be used count as none.
func TestBadAnswersBeforeChat(t *testing.T) {
	_, closed := screened(t, false)
	ann := enter(t, closed, "ann")
	ann.join("c")
	for _, word := range []string{"empty", "both", "none", "html", "null", "huge", "long", "moved", "slow"} {
		t.Run(word, func(t *testing.T) {
			bad := ann.refused(rpc.CodeUnavailable, rpc.MethodChat, rpc.ChatParams{Channel: "c", Body: word})
			if bad.Data == nil || bad.Data.Retry == 0 {
				t.Errorf("the refusal does not say when to try again: %+v", bad.Data)
			}
		})
	}
}

// A program that is down is left alone for a while, and asked again.
func TestBeforeChatIsDown(t *testing.T) {
	c, url := screened(t, true)
	c.fail(true)
	ann, bob := enter(t, url, "ann"), enter(t, url, "bob")
	ann.join("c")
	bob.join("c")
	begun := time.Now()
	for range 40 {
		ann.chat("c", "bad, and nobody says so")
		bob.hears()
	}
	// After a rest of 5 s it is asked once more.
	if n, rests := len(c.questions()), int(time.Since(begun)/(5*time.Second)); n < 20 || n > 20+rests {
		t.Errorf("it was asked %d times, want 20, and %d more at most", n, rests)
	}
	c.fail(false)
	await.That(t, "it is asked again", func() bool {
		err := ann.Call(soon(t), rpc.MethodChat, rpc.ChatParams{Channel: "c", Body: "bad"}, nil)
		return err != nil && strings.Contains(err.Error(), "refuses")
	})
}

// What a session sends next to the channel comes after what is being asked about.
func TestOrderBeforeChat(t *testing.T) {
	_, url := screened(t, false)
	ann, bob := enter(t, url, "ann"), enter(t, url, "bob")
	ann.join("c")
	bob.join("c")
	wait, err := ann.Start(rpc.MethodChat, rpc.ChatParams{Channel: "c", Body: "late"})
	if err != nil {
		t.Fatal(err)
	}
	second := ann.chat("c", "second")
	var first rpc.ActResult
	if err := wait(soon(t), &first); err != nil || first.Seq > second.Seq {
		t.Errorf("the first is stored at %d, the second at %d: %v", first.Seq, second.Seq, err)
	}
}
