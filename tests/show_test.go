package tests

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema/rpc"
)

// TestShow shows each guarantee on real processes: `make show G=1` prints what
// it does and what it sees. The tests that docs/guarantees.md names look much closer.
func TestShow(t *testing.T) {
	embeddedtest.NeedEngine(t)
	onEmbeddedBroker(t)
	for i, show := range shows {
		t.Run(fmt.Sprint("G", i+1), func(t *testing.T) {
			t.Parallel()
			show(&stage{t: t, aloud: os.Getenv("PARLEY_SHOW") != ""})
		})
	}
}

// shows are what is played for G1, G2 and so on.
var shows = []func(*stage){
	showDurable, showOneOrder, showExactlyOnce, showNoSeam, showIdempotent,
	showNoGhosts, showPrivate, showHistoryDown, showRebuildable, showBounded,
}

// stage is where a guarantee is shown.
type stage struct {
	t     *testing.T
	aloud bool
}

func (s *stage) say(mark, format string, args ...any) {
	if s.aloud {
		fmt.Printf("%s %s\n", mark, fmt.Sprintf(format, args...))
	}
}

// does tells what happens next.
func (s *stage) does(format string, args ...any) { s.say("  ·", format, args...) }

// sees tells what is promised, and fails where it does not hold.
func (s *stage) sees(holds bool, format string, args ...any) {
	s.t.Helper()
	if !holds {
		s.say("  ✗", format, args...)
		s.t.Errorf("it does not hold: "+format, args...)
		return
	}
	s.say("  ✓", format, args...)
}

// roles starts every role as a process, two of connector and worker.
func (s *stage) roles() (*roleProcesses, *cluster) {
	r := startRoles(s.t)
	for _, url := range r.urls {
		probe := enter(s.t, url, "probe")
		probe.join("probe")
		await.That(s.t, "history can be read", func() bool {
			return probe.Call(soon(s.t), rpc.MethodHistory, rpc.HistoryParams{Channel: "probe"}, nil) == nil
		})
	}
	s.does("a broker, ClickHouse, two connectors, two workers and a projector run, each a process")
	return r, &cluster{t: s.t, kafka: r.broker, clickhouse: r.clickhouse, logger: quietLogger}
}

func showDurable(s *stage) {
	data, addr := s.t.TempDir(), freeport.AddressFor(s.t)
	s.does("`parley up` runs: everything in one process, ClickHouse as its child")
	everything := start(s.t, "up", "--listen", addr, "--data", data)
	ada := enter(s.t, served(s.t, addr), "ada")
	ada.join("lobby")
	said, last := says(ada, 0, 100)
	s.does("ada says 100 messages; the last one is acknowledged with seq %d", last)
	everything.signal(syscall.SIGKILL)
	s.does("kill -9, of everything at once")
	start(s.t, "up", "--listen", addr, "--data", data)
	s.does("`parley up` on the same data")
	page := enter(s.t, served(s.t, addr), "bob").joinWith(rpc.JoinParams{Channel: "lobby", Limit: ptr(300)})
	s.sees(slices.Equal(bodies(page.Messages), said), "bob joins and reads all 100 messages")
	s.sees(page.Messages[99].Seq == last, "the last one is still at seq %d", last)
}

func showOneOrder(s *stage) {
	r, _ := s.roles()
	users := []*user{enter(s.t, r.urls[0], "ada"), enter(s.t, r.urls[1], "bob"), enter(s.t, r.urls[1], "eve")}
	for _, u := range users {
		u.join("lobby")
	}
	s.does("ada on one connector, bob and eve on the other say 100 messages each, all at once")
	s.together(users, 100)
	heard := make([][]string, len(users))
	for i, u := range users {
		for range 300 {
			heard[i] = append(heard[i], u.hears().Body)
		}
	}
	s.does("ada hears %s, …", strings.Join(heard[0][:6], ", "))
	s.sees(slices.Equal(heard[0], heard[1]) && slices.Equal(heard[0], heard[2]), "bob and eve hear the 300 messages in the same order")
	page := enter(s.t, r.urls[0], "joe").joinWith(rpc.JoinParams{Channel: "lobby", Limit: ptr(300)})
	s.sees(slices.Equal(bodies(page.Messages), heard[0]), "it is the order of history, which joe reads when he joins")
}

// together lets every user say n things at the same time.
func (s *stage) together(users []*user, n int) {
	var all sync.WaitGroup
	for _, u := range users {
		all.Go(func() {
			for i := range n {
				err := u.Call(soon(s.t), rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: fmt.Sprint(u.name, " ", i)}, nil)
				if err != nil {
					s.t.Errorf("%s: %v", u.name, err)
					return
				}
			}
		})
	}
	all.Wait()
}

func showExactlyOnce(s *stage) {
	r, _ := s.roles()
	ada, bob, eve := enter(s.t, r.urls[0], "ada"), enter(s.t, r.urls[1], "bob"), enter(s.t, r.urls[1], "eve")
	for _, u := range []*user{ada, bob, eve} {
		u.join("lobby")
	}
	s.does("ada says 200 messages, every tenth to bob alone and every tenth to eve alone; a worker is killed in the middle")
	for i := range 200 {
		if i == 100 {
			r.workers[0].signal(syscall.SIGKILL)
		}
		to := map[int]string{3: "bob", 7: "eve"}[i%10]
		ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: fmt.Sprint(i), To: to})
	}
	times, public := map[string]int{}, 0
	for range 180 {
		m := bob.hears() // holds the chain
		times[m.Body]++
		if m.To == "" {
			public++
		}
	}
	s.sees(len(times) == 180 && public == 160, "bob hears the 160 public messages and the 20 that are his, each of them once")
	s.sees(!s.t.Failed(), "each public message names the one before it in prev: the chain has no gap")
	ada.chat("lobby", "the end")
	s.sees(bob.hears().Body == "the end", "and nothing comes twice after them")
}

func showNoSeam(s *stage) {
	r, _ := s.roles()
	ada, bob := enter(s.t, r.urls[0], "ada"), enter(s.t, r.urls[1], "bob")
	ada.join("lobby")
	place := bob.join("lobby")
	said, _ := says(ada, 0, 20)
	since := place.Seq
	for range said {
		since = bob.hears().Seq
	}
	s.does("ada has said 20 messages, and bob has heard them up to seq %d; his connector is killed with -9", since)
	r.connectors[1].signal(syscall.SIGKILL)
	more, _ := says(ada, 20, 50)
	s.does("ada says 50 more, and goes on while bob comes back through the other connector with since=%d", since)
	var live sync.WaitGroup
	live.Go(func() { s.together([]*user{ada}, 100) })
	again := enter(s.t, r.urls[0], "bob")
	back := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &since, Epoch: place.Epoch})
	got := bodies(back.Messages)
	missed := len(got)
	for len(got) < 150 {
		got = append(got, again.hears().Body) // holds the chain over the seam
	}
	live.Wait()
	for i := range 100 {
		more = append(more, fmt.Sprint("ada ", i))
	}
	s.sees(back.Recovered != nil && *back.Recovered, "he is told recovered: true")
	s.sees(slices.Equal(got, more), "he has all 150, without a gap or a repeat: %d in the answer, %d live after it", missed, 150-missed)
	newcomer := enter(s.t, r.urls[0], "eve").joinWith(rpc.JoinParams{Channel: "lobby", Limit: ptr(300)})
	s.sees(slices.Equal(bodies(newcomer.Messages), append(said, more...)), "and so has eve, who joins now, all 170")
}

func showIdempotent(s *stage) {
	r, _ := s.roles()
	ada, bob := enter(s.t, r.urls[0], "ada"), enter(s.t, r.urls[1], "bob")
	ada.join("lobby")
	bob.join("lobby")
	once := rpc.ChatParams{Channel: "lobby", Body: "once", ID: "a-1"}
	first := ada.chatWith(once)
	s.does("ada says \"once\" with the id a-1, is answered with seq %d and hears it", first.Seq)
	ada.hears()
	retry := ada.chatWith(once)
	s.sees(retry.Seq == first.Seq, "a retry is answered with seq %d again", retry.Seq)
	r.connectors[0].signal(syscall.SIGKILL)
	elsewhere := enter(s.t, r.urls[1], "ada")
	elsewhere.join("lobby")
	elsewhere.chatWith(once)
	s.does("her connector is killed; she comes back through the other one and tries it once more")
	elsewhere.chat("lobby", "the end")
	one, end := bob.hears(), bob.hears()
	s.sees(one.Body == "once" && end.Body == "the end", "bob hears it once, and then what comes next")
	page := enter(s.t, r.urls[1], "eve").join("lobby")
	s.sees(slices.Equal(bodies(page.Messages), []string{"once", "the end"}), "it is in history once")
}

func showNoGhosts(s *stage) {
	r, _ := s.roles()
	ada, eve, bob := enter(s.t, r.urls[0], "ada"), enter(s.t, r.urls[0], "eve"), enter(s.t, r.urls[1], "bob")
	for _, u := range []*user{bob, ada, eve} {
		u.join("lobby")
	}
	s.does("ada and eve are in the lobby through a connector that is killed with -9; bob through the other one")
	killed := time.Now()
	r.connectors[0].signal(syscall.SIGKILL)
	enter(s.t, r.urls[1], "eve").join("lobby")
	s.does("eve comes back at once, ada does not")
	left := bob.sees(rpc.PushLeft)
	took := time.Since(killed)
	s.sees(strings.Contains(string(left.Params), `"ada"`), "bob is told that ada has left, %.1f s after the kill", took.Seconds())
	s.sees(took < 15*time.Second, "that is within 15 s")
	members := bob.members("lobby")
	slices.Sort(members)
	s.sees(slices.Equal(members, []string{"bob", "eve"}), "the members are bob and eve; eve never left")
}
