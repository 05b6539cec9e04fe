package connector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
)

// awayArchive is of a log whose end nobody tells until told is closed.
type awayArchive struct {
	slowArchive
	told chan struct{}
}

func (a *awayArchive) End(context.Context, string) (int64, error) {
	<-a.told
	return 0, eventlog.ErrClosed
}

// A reply that has to ask the log for its end holds up no other channel of its batch.
func TestReplyHoldsUpItsOwnChannel(t *testing.T) {
	r := newAPIRig(t)
	log := new(heldLog)
	away := &awayArchive{told: make(chan struct{})}
	r.inc.events.producer, r.inc.past.archive = log, away
	var all []string
	for i := range 3 {
		all = append(all, fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"publish","params":{"channel":"shop-%d","user":"ada","body":"x","reply":7}}`, i, i))
	}
	all = append(all, `{"jsonrpc":"2.0","id":9,"method":"publish","params":{"channel":"shop-other","user":"ada","body":"other"}}`)
	ctx, hangUp := context.WithCancel(context.Background())
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		req, _ := http.NewRequestWithContext(ctx, "POST", r.url+"/v1/rpc", bytes.NewBufferString("["+strings.Join(all, ",")+"]"))
		req.Header.Set("Authorization", "Bearer "+r.key)
		req.Header.Set("Content-Type", "application/json")
		if res, err := http.DefaultClient.Do(req); err == nil {
			res.Body.Close()
		}
	}()
	defer func() { hangUp(); close(away.told); <-answered }()
	await.That(t, "it does not wait for replies in other channels", func() bool {
		e, ok := log.take()
		if ok {
			e.done(eventlog.Ack{Offset: 1})
		}
		return ok
	})
}

// goneArchive is of a log that is away for as long as somebody asks.
type goneArchive struct{ slowArchive }

func (*goneArchive) End(ctx context.Context, _ string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return 0, eventlog.ErrClosed
}

// That a caller hangs up while the log is asked for its end is not logged as a failure.
func TestHangUpIsNotLogged(t *testing.T) {
	r := newAPIRig(t)
	r.inc.past.archive = new(goneArchive)
	said := new(bytes.Buffer)
	r.inc.logger = slog.New(slog.NewTextHandler(said, nil))
	ctx, hangUp := context.WithCancel(t.Context())
	a := &ask{inc: r.inc, ctx: ctx}
	hangUp()
	if bad := a.mayReply("shop-1", 7); bad == nil || said.Len() > 0 {
		t.Errorf("a caller who has hung up gets %v, and it is logged: %s", bad, said)
	}
	a.ctx = t.Context()
	if bad := a.mayReply("shop-1", 7); bad == nil || strings.Count(said.String(), "\n") != 1 {
		t.Errorf("a caller who waits gets %v, and it is logged: %s", bad, said)
	}
}
