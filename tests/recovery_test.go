package tests

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema/rpc"
)

// Whoever was away gets exactly what they missed, and the chain continues.
func TestReconnectWithSince(t *testing.T) {
	_, first, second := up(t)
	ada, bob := enter(t, first, "ada"), enter(t, first, "bob")
	ada.join("lobby")
	b := bob.join("lobby")
	ada.chat("lobby", "before")
	seen := bob.hears()
	bob.Cut()
	var missed []string
	for i := range 120 {
		missed = append(missed, fmt.Sprint("missed ", i))
		ada.chat("lobby", missed[i])
	}
	for name, url := range map[string]string{"the same connector": first, "the other connector": second} {
		t.Run(name, func(t *testing.T) {
			again := enter(t, url, "bob")
			r := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &seen.Seq, Epoch: b.Epoch, Limit: ptr(5)})
			if r.Recovered == nil || !*r.Recovered || !slices.Equal(bodies(r.Messages), missed) || !r.More {
				t.Fatalf("recovered %v, reason %q, more %v, %d messages", r.Recovered, r.Reason, r.More, len(r.Messages))
			}
			ada.chat("lobby", "after")
			if m := again.hears(); m.Body != "after" || m.Prev != r.Last {
				t.Errorf("the next message is %+v, last was %d", m, r.Last)
			}
			missed = append(missed, "after")
		})
	}
}

func TestRecoveryThatIsNotPossible(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Recover = 10 }).addr
	ada := enter(t, url, "ada")
	a := ada.join("lobby")
	for i := range 11 {
		ada.chat("lobby", fmt.Sprint(i))
	}
	for name, p := range map[string]struct {
		since  int64
		epoch  string
		reason string
	}{
		"too many":        {a.Seq, a.Epoch, rpc.ReasonTooMany},
		"another epoch":   {a.Seq, "other", rpc.ReasonEpoch},
		"from the future": {a.Seq + 1_000_000, a.Epoch, rpc.ReasonEpoch},
	} {
		t.Run(name, func(t *testing.T) {
			r := enter(t, url, "bob").joinWith(rpc.JoinParams{Channel: "lobby", Since: &p.since, Epoch: p.epoch, Limit: ptr(2)})
			if r.Recovered == nil || *r.Recovered || r.Reason != p.reason || !slices.Equal(bodies(r.Messages), []string{"9", "10"}) {
				t.Errorf("%+v", r)
			}
		})
	}
	r := enter(t, url, "eve").joinWith(rpc.JoinParams{Channel: "lobby", Since: ptr(a.Seq + 1), Epoch: a.Epoch})
	if r.Recovered == nil || !*r.Recovered || len(r.Messages) != 10 {
		t.Errorf("exactly as many as allowed: %+v", r)
	}
}

// Sessions that join while messages pour in see no seam: history and live meet.
func TestNoSeam(t *testing.T) {
	_, first, second := up(t)
	ada := enter(t, first, "ada")
	ada.join("lobby")
	stop := make(chan struct{})
	var talking sync.WaitGroup
	talking.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				ada.chat("lobby", fmt.Sprint(i))
			}
		}
	})
	defer talking.Wait()
	defer close(stop)
	for i := range 40 {
		u := enter(t, []string{first, second}[i%2], fmt.Sprint("guest", i))
		r := u.joinWith(rpc.JoinParams{Channel: "lobby", Limit: ptr(20)})
		var numbers []int
		for _, m := range r.Messages {
			numbers = append(numbers, number(t, m.Body))
		}
		for range 20 {
			numbers = append(numbers, number(t, u.hears().Body))
		}
		for k := 1; k < len(numbers); k++ {
			if numbers[k] != numbers[k-1]+1 {
				t.Fatalf("guest %d sees %v", i, numbers)
			}
		}
		u.leave("lobby")
		u.Cut()
	}
}

func number(t *testing.T, s string) int {
	t.Helper()
	var n int
	if _, err := fmt.Sscan(s, &n); err != nil {
		t.Fatalf("%q is not a number", s)
	}
	return n
}

// A thousand at once: everybody is back and complete.
func TestAStormOfJoins(t *testing.T) {
	_, first, second := up(t)
	ada := enter(t, first, "ada")
	a := ada.join("lobby")
	for i := range 100 {
		ada.chat("lobby", fmt.Sprint(i))
	}
	var storm sync.WaitGroup
	for i := range 200 {
		storm.Go(func() {
			u := enter(t, []string{first, second}[i%2], fmt.Sprint("u", i))
			r := u.joinWith(rpc.JoinParams{Channel: "lobby", Since: &a.Seq, Epoch: a.Epoch})
			if r.Recovered == nil || !*r.Recovered || len(r.Messages) != 100 {
				t.Errorf("u%d: %v, %d messages", i, r.Recovered, len(r.Messages))
			}
		})
	}
	storm.Wait()
}

func TestHistoryPaging(t *testing.T) {
	_, first, second := up(t)
	ada := enter(t, first, "ada")
	ada.join("lobby")
	var seqs []int64
	for i := range 700 {
		seqs = append(seqs, ada.chat("lobby", fmt.Sprint(i)).Seq)
	}
	bob := enter(t, second, "bob")
	bob.join("lobby")

	var back []string
	before := (*int64)(nil)
	for {
		h := bob.history(rpc.HistoryParams{Channel: "lobby", Before: before, Limit: ptr(150)})
		back = append(bodies(h.Messages), back...)
		if !h.More {
			break
		}
		before = &h.Messages[0].Seq
	}
	var forth []string
	after := int64(0)
	for {
		h := bob.history(rpc.HistoryParams{Channel: "lobby", After: &after, Limit: ptr(150)})
		forth = append(forth, bodies(h.Messages)...)
		if !h.More {
			break
		}
		after = h.Messages[len(h.Messages)-1].Seq
	}
	if len(back) != 700 || !slices.Equal(back, forth) || back[0] != "0" || back[699] != "699" {
		t.Errorf("%d messages backwards, %d forwards", len(back), len(forth))
	}
	h := bob.history(rpc.HistoryParams{Channel: "lobby", Around: &seqs[100], Limit: ptr(4)})
	if !slices.Equal(bodies(h.Messages), []string{"98", "99", "100", "101"}) || !h.More || !h.Newer {
		t.Errorf("around: %+v", h)
	}
	h = bob.history(rpc.HistoryParams{Channel: "lobby", Around: &seqs[699], Limit: ptr(4)})
	if !slices.Equal(bodies(h.Messages), []string{"697", "698", "699"}) || !h.More || h.Newer {
		t.Errorf("around the end: %+v", h)
	}
}

// A user who is cut off and back within the grace does not flicker; one who
// stays away has left after it, one who closes cleanly at once.
func TestLeavingByDisconnect(t *testing.T) {
	_, first, second := up(t)
	watcher := enter(t, second, "watcher")
	watcher.join("lobby")

	flicker := enter(t, first, "flicker")
	flicker.join("lobby")
	watcher.sees(rpc.PushJoined)
	flicker.Cut()
	back := enter(t, second, "flicker")
	back.join("lobby")
	back.chat("lobby", "back")
	if p, err := watcher.Next(soon(t)); err != nil || p.Method != rpc.PushChat {
		t.Errorf("the watcher is told %s %s, %v", p.Method, p.Params, err)
	}

	polite := enter(t, first, "polite")
	polite.join("lobby")
	watcher.sees(rpc.PushJoined)
	began := time.Now()
	polite.Close(websocket.CloseNormalClosure)
	if p := watcher.sees(rpc.PushLeft); !strings.Contains(string(p.Params), `"polite"`) || !strings.Contains(string(p.Params), `"disconnect"`) {
		t.Errorf("%s", p.Params)
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("a clean close took %v to be seen", took)
	}

	gone := enter(t, first, "gone")
	gone.join("lobby")
	watcher.sees(rpc.PushJoined)
	began = time.Now()
	gone.Cut()
	if p := watcher.sees(rpc.PushLeft); !strings.Contains(string(p.Params), `"gone"`) {
		t.Errorf("%s", p.Params)
	}
	if took := time.Since(began); took < 4*time.Second {
		t.Errorf("a cut user has left after %v", took)
	}
	if got := watcher.members("lobby"); !slices.Equal(got, []string{"flicker", "watcher"}) {
		t.Errorf("members %v", got)
	}
}

// A connector that stops announces it; its clients continue elsewhere and miss nothing.
func TestPlannedStop(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	old := c.connector(nil)
	ada := enter(t, old.addr, "ada")
	a := ada.join("lobby")
	ada.chat("lobby", "one")
	old.stop()
	ada.sees(rpc.PushDrain)
	if code, err := ada.Ended(soon(t)); code != rpc.CloseShutdown {
		t.Errorf("closed with %d, %v", code, err)
	}
	again := enter(t, c.connector(nil).addr, "ada")
	r := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &a.Seq, Epoch: a.Epoch})
	if r.Recovered == nil || !*r.Recovered || !slices.Equal(bodies(r.Messages), []string{"one"}) || r.Count != 1 {
		t.Errorf("%+v", r)
	}
}

// Workers and projectors come and go under load; nobody notices.
func TestRolesRestartUnderLoad(t *testing.T) {
	c := newCluster(t)
	worker, projector := c.worker(), c.projector()
	url := c.connector(nil).addr
	ada, bob := enter(t, url, "ada"), enter(t, url, "bob")
	for _, u := range []*user{ada, bob} {
		u.join("a")
		u.join("b")
	}
	const messages = 200
	var talking sync.WaitGroup
	talking.Go(func() {
		for i := range messages {
			ada.chat([]string{"a", "b"}[i%2], fmt.Sprint(i))
		}
	})
	c.worker()
	worker.stop()
	projector.stop()
	c.projector()
	heard := map[string][]int{}
	for range messages {
		m := bob.hears()
		heard[m.Channel] = append(heard[m.Channel], number(t, m.Body))
	}
	talking.Wait()
	for ch, numbers := range heard {
		for i := range numbers {
			if i > 0 && numbers[i] != numbers[i-1]+2 {
				t.Errorf("in %s bob heard %v", ch, numbers)
			}
		}
	}
	h := bob.history(rpc.HistoryParams{Channel: "a", Limit: ptr(300)})
	if len(h.Messages) != messages/2 {
		t.Errorf("history of a has %d messages", len(h.Messages))
	}
}

// ClickHouse is away, and chat continues: joins get what log and ring hold.
func TestWithoutClickHouse(t *testing.T) {
	c := newCluster(t)
	c.createLog("") // no role creates one without asking ClickHouse
	c.worker()
	c.clickhouse = "clickhouse://127.0.0.1:1/default"
	url := c.connector(nil).addr
	ada := enter(t, url, "ada")
	a := ada.join("lobby")
	ada.chat("lobby", "one")
	ada.chat("lobby", "two")
	r := enter(t, url, "bob").join("lobby")
	if !r.Degraded || !slices.Equal(bodies(r.Messages), []string{"one", "two"}) {
		t.Errorf("%+v", r)
	}
	other := enter(t, c.connector(nil).addr, "carl")
	r = other.joinWith(rpc.JoinParams{Channel: "lobby", Since: &a.Seq, Epoch: a.Epoch})
	if r.Recovered == nil || !*r.Recovered || !slices.Equal(bodies(r.Messages), []string{"one", "two"}) {
		t.Errorf("from the log alone: %+v", r)
	}
}
