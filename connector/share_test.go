package connector

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// slowArchive is a store whose reads never end by themselves.
type slowArchive struct {
	reading atomic.Int32
	first   bool // there is no earlier epoch
}

func (a *slowArchive) FirstEpoch() bool { return a.first }

func (a *slowArchive) Read(ctx context.Context, q history.Query) (history.Page, error) {
	if q.User == "ada" {
		return history.Page{Messages: []rpc.Message{{Channel: q.Channel, Seq: 1, User: "ada", Body: "hi"}}}, nil
	}
	a.reading.Add(1)
	defer a.reading.Add(-1)
	<-ctx.Done()
	return history.Page{}, ctx.Err()
}

func (a *slowArchive) ReadLog(ctx context.Context, q history.Query, _ int64) (history.Page, error) {
	return a.Read(ctx, q)
}

func (a *slowArchive) Holds(context.Context, string) (bool, error) { return true, nil }
func (a *slowArchive) Reactors(context.Context, history.Query, history.Reactors) (rpc.ReactionsResult, error) {
	return rpc.ReactionsResult{}, nil
}
func (a *slowArchive) Sanctions(context.Context, history.Query, string) (rpc.SanctionsResult, error) {
	return rpc.SanctionsResult{}, nil
}
func (a *slowArchive) Banned(context.Context, history.Query, string) (*rpc.Sanction, error) {
	return nil, nil
}
func (a *slowArchive) Search(ctx context.Context, _ history.Search) (history.Hits, error) {
	<-ctx.Done()
	return history.Hits{}, ctx.Err()
}
func (a *slowArchive) First(context.Context, schema.Act, int64) (history.Act, bool, error) {
	return history.Act{}, false, nil
}
func (a *slowArchive) End(context.Context, string) (int64, error) { return 0, nil }

// Who floods the connector with reads has a share of them, in one session as
// in fifty, and holds up no other user; what is logged of it is little and has
// nothing of the client's.
func TestFloodOfHistoryHoldsUpItsOwnUser(t *testing.T) {
	store, said := &slowArchive{}, &safeBuffer{}
	v := serveAlone(t, func(inc *incarnation) {
		inc.past.archive, inc.cfg.HistoryTime = store, 2*time.Second
		inc.logger = slog.New(slog.NewTextHandler(said, nil))
	})
	ch := v.inc.channels.subscribe("secret-plans")
	applyTo(t, ch, 1000, &schema.Update{Kind: &schema.Update_Joined{Joined: &schema.Joined{Subscribed: true}}})
	applyTo(t, ch, 2000, &schema.Update{Kind: &schema.Update_VoidChat{VoidChat: &schema.VoidChat{}}})
	ask := `{"jsonrpc":"2.0","id":1,"method":"history","params":{"channel":"secret-plans","before":500}}`
	for range 50 {
		ws, _ := v.enter("eve", ch)
		for range 20 {
			v.ask(ws, ask)
		}
	}
	await.That(t, "the user has all reads it may have", func() bool { return store.reading.Load() >= readsOfUser })
	ada, _ := v.enter("ada", ch)
	v.ask(ada, ask)
	_ = ada.SetReadDeadline(time.Now().Add(await.Limit))
	_, answer, err := ada.ReadMessage()
	if err != nil || !strings.Contains(string(answer), `"body":"hi"`) {
		t.Errorf("meanwhile another user gets %s, %v", answer, err)
	}
	if n := store.reading.Load(); n > readsOfUser {
		t.Errorf("%d reads of one user are under way", n)
	}
	await.That(t, "it is logged", func() bool { return said.lines() > 0 })
	time.Sleep(300 * time.Millisecond)
	if n := said.lines(); n > 1 || strings.Contains(said.String(), "secret-plans") {
		t.Errorf("%d lines:\n%s", n, said)
	}
}

// A sampled warning says how many were left out.
func TestSampleSaysHowMany(t *testing.T) {
	said := &safeBuffer{}
	s := sample{message: "it failed"}
	for range 5 {
		s.warn(t.Context(), slog.New(slog.NewTextHandler(said, nil)), errors.New("once"))
	}
	s.last = s.last.Add(-sampleEvery)
	s.warn(t.Context(), slog.New(slog.NewTextHandler(said, nil)), errors.New("again"))
	if want := fmt.Sprintf("%s=4", "more_since_the_last_line"); said.lines() != 2 || !strings.Contains(said.String(), want) {
		t.Errorf("%d lines:\n%s", said.lines(), said)
	}
}

// safeBuffer is what a logger writes to.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *safeBuffer) lines() int { return strings.Count(b.String(), "\n") }
