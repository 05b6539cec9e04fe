package connector

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/history"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// gathering is an archive that answers nobody before all have asked.
type gathering struct {
	heldArchive
	left atomic.Int64
	all  chan struct{}
}

func (a *gathering) First(ctx context.Context, _ schema.Act, at int64) (history.Act, bool, error) {
	if a.left.Add(-1) == 0 {
		close(a.all)
	}
	select {
	case <-a.all:
		return history.Act{Seq: at - 1, Time: 7}, true, nil
	case <-ctx.Done():
		return history.Act{}, false, ctx.Err()
	}
}

// callerOf is a caller that may do everything in all channels.
func callerOf(t *testing.T, name string) *api.Caller {
	t.Helper()
	all, _, err := grants.ParseBackend([]byte(`[{"channels": ["*"], "allow": ["api", "moderate", "audit", "admin"]}]`))
	if err != nil {
		t.Fatal(err)
	}
	return &api.Caller{Key: name, May: grants.Compile(name, all)}
}

// What a backend sends again is looked up together, however much it is: one read of the
// log finds all of it, and each by itself would take minutes.
func TestRepeatsAreLookedUpTogether(t *testing.T) {
	const many = 200
	r := newFoldRig(t)
	a := &gathering{all: make(chan struct{})}
	a.left.Store(many)
	r.inc.past.archive = a
	by, answers := callerOf(t, "shop"), make(chan string, many)
	for i := range many {
		params := json.RawMessage(fmt.Sprintf(`{"channel":"a","user":"ada","body":"x","id":"%d","retry":true}`, i))
		backends{r.c}.Begin(t.Context(), by, rpc.Request{Method: rpc.MethodPublish, Params: params}, func(write func([]byte) []byte, bad *rpc.Error) {
			if bad != nil {
				answers <- bad.Message
				return
			}
			answers <- string(write(nil))
		})
		r.published("a message").done(eventlog.Ack{Offset: int64(1000 + i)})
	}
	for range many {
		var told rpc.PublishResult
		if text := <-answers; json.Unmarshal([]byte(text), &told) != nil || told.Time != 7 {
			t.Fatalf("a message that was sent again is answered %s", text)
		}
	}
}

// A key whose requests all wait leaves turns to the others.
func TestKeyLeavesTurnsToOthers(t *testing.T) {
	r := newFoldRig(t)
	floods, other := callerOf(t, "floods"), callerOf(t, "other")
	floods.Turns, other.Turns = make(chan struct{}, apiTurns/2), make(chan struct{}, apiTurns/2)
	ask := func(by *api.Caller, channel string) {
		params := json.RawMessage(fmt.Sprintf(`{"channel":%q}`, channel))
		go backends{r.c}.Begin(t.Context(), by, rpc.Request{Method: rpc.MethodMembers, Params: params}, func(func([]byte) []byte, *rpc.Error) {})
	}
	for i := range 2 * apiTurns {
		ask(floods, fmt.Sprint("never/", i)) // whose watches do not pass
	}
	await.That(t, "the key has all the turns it may have", func() bool { return len(floods.Turns) == cap(floods.Turns) })
	ask(other, "a")
	await.That(t, "another key has its turn", func() bool { return len(other.Turns) == 1 && len(r.c.turns) == apiTurns/2+1 })
}
