package tests

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/schema/rpc"
)

func showPrivate(s *stage) {
	r, _ := s.roles()
	ada, bob, eve := enter(s.t, r.urls[0], "ada"), enter(s.t, r.urls[1], "bob"), enter(s.t, r.urls[1], "eve")
	ada.join("lobby")
	bob.join("lobby")
	place := eve.join("lobby")
	const secret = "the launch code is 4711"
	s.does("ada tells bob alone: %q", secret)
	ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: secret, To: "bob"})
	ada.chat("lobby", "hello all")
	s.sees(bob.hears().Body == secret && bob.hears().Body == "hello all", "bob hears it")
	s.sees(eve.hears().Body == "hello all", "eve, in the same channel and on his connector, hears only what comes next")
	page := eve.history(rpc.HistoryParams{Channel: "lobby"})
	s.sees(slices.Equal(bodies(page.Messages), []string{"hello all"}), "her history has nothing of it")
	back := enter(s.t, r.urls[0], "eve").joinWith(rpc.JoinParams{Channel: "lobby", Since: &place.Seq, Epoch: place.Epoch})
	s.sees(slices.Equal(bodies(back.Messages), []string{"hello all"}), "what she recovers has nothing of it")
	outsider := enter(s.t, r.urls[0], "mallory")
	refused := outsider.refused(rpc.CodeNotJoined, rpc.MethodHistory, rpc.HistoryParams{Channel: "lobby"})
	s.sees(refused != nil, "mallory, who is not a member, is refused: %v", refused)
	logs := 0
	for _, p := range append(slices.Clone(r.connectors), r.workers...) {
		logs += strings.Count(p.out.String(), secret)
	}
	s.sees(logs == 0, "no log of a process holds it")
}

func showHistoryDown(s *stage) {
	here := newSite(s.t)
	here.startRoles()
	s.does("broker and ClickHouse run as processes, with a connector, a worker and a projector")
	ada := enter(s.t, here.url, "ada")
	ada.join("lobby")
	said, last := says(ada, 0, 20)
	here.projected(last)
	here.clickhouse.signal(syscall.SIGKILL)
	s.does("ada has said 20 messages; ClickHouse is killed with -9")
	more, _ := says(ada, 20, 30)
	for range 50 {
		ada.hears()
	}
	s.sees(!s.t.Failed(), "she says 30 more: all are acknowledged and delivered")
	page := enter(s.t, here.url, "bob").joinWith(rpc.JoinParams{Channel: "lobby", Limit: ptr(300)})
	said = append(said, more...)
	got := bodies(page.Messages)
	s.sees(len(got) > 0 && slices.Equal(got, said[len(said)-len(got):]), "bob joins and sees the newest %d, from memory and log (degraded: %v)", len(got), page.Degraded)
	here.clickhouse = start(s.t, "clickhouse", "--listen", here.clickhouseAddr, "--data", here.clickhouseFolder())
	s.does("ClickHouse is started again")
	here.equal()
	here.holds(ada, said)
	s.sees(!s.t.Failed(), "history has all 50, and `parley verify` finds log and ClickHouse equal")
}

func showRebuildable(s *stage) {
	here := newSite(s.t)
	here.startRoles()
	ada := enter(s.t, here.url, "ada")
	ada.join("lobby")
	_, last := says(ada, 0, 200)
	here.projected(last)
	db := clickhousetest.Connect(s.t, here.cluster.clickhouse)
	digest := func(table string) (rows uint64, sum string) {
		err := db.QueryRow(soon(s.t), "SELECT count(), toString(sum(cityHash64(toString(tuple(*))))) FROM (SELECT * FROM "+table+" FINAL)").Scan(&rows, &sum)
		if err != nil {
			return 0, err.Error()
		}
		return rows, sum
	}
	rows, sum := digest("events_1")
	s.does("ada has said 200 messages; ClickHouse has %d rows, their digest is %s", rows, sum)
	here.sql("DROP TABLE events_1 SYNC")
	here.sql("DROP TABLE watermarks_1 SYNC")
	s.does("the tables are dropped, while everything runs")
	await.That(s.t, "the next generation of them is filled", func() bool { now, _ := digest("events_2"); return now == rows })
	says(ada, 200, 1)
	await.That(s.t, "it goes on", func() bool { now, _ := digest("events_2"); return now > rows })
	here.equal()
	again, _ := digest("events_2")
	var old string
	if err := db.QueryRow(soon(s.t), "SELECT toString(sum(cityHash64(toString(tuple(*))))) FROM (SELECT * FROM events_2 FINAL WHERE NOT (channel = 'lobby' AND seq > $1))", last).Scan(&old); err != nil {
		s.t.Fatal(err)
	}
	s.sees(again == rows+1 && old == sum, "the projector filled the next generation from the log: the same %d rows with the same digest, and the one that was said meanwhile", rows)
	s.sees(!s.t.Failed(), "`parley verify` folds the log once more: rows and the workers' state are equal to it")
}

func showBounded(s *stage) {
	r, _ := s.roles()
	slow := dial(s.t, r.urls[0])
	exchange(s.t, slow, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"slow"}}`)
	exchange(s.t, slow, `{"jsonrpc":"2.0","id":2,"method":"join","params":{"channel":"lobby"}}`)
	ada := enter(s.t, r.urls[0], "ada")
	ada.join("lobby")
	s.does("a client joins and reads a message every 10 ms; ada says large ones, faster, until it is thrown out")
	closed, thrownOut := make(chan error, 1), s.slowConsumers(r.connectors[0])
	go func() { closed <- readSlowly(slow, thrownOut) }()
	var slowest time.Duration
	said := 0
	for left := false; !left && said < 50_000; said++ {
		began := time.Now()
		ada.chat("lobby", fmt.Sprint(said, strings.Repeat("x", 4000)))
		for heard := false; !heard; {
			p, err := ada.Next(soon(s.t))
			if err != nil {
				s.t.Fatal(err)
			}
			heard = p.Method == rpc.PushChat
			left = left || p.Method == rpc.PushLeft
		}
		slowest = max(slowest, time.Since(began))
	}
	s.sees(said < 50_000, "after %d messages, %d MB, it has left", said, said*4/1000)
	s.sees(slowest < 10*time.Second, "of ada's own messages the slowest took %v to come back to her", slowest.Round(time.Millisecond))
	var why *websocket.CloseError
	s.sees(errors.As(<-closed, &why) && why.Code == rpc.CloseSlow, "it was closed with %d, which means: come back and recover", rpc.CloseSlow)
}

var (
	adminAt      = regexp.MustCompile(`msg="health is served" address=(\S+)`)
	slowConsumer = regexp.MustCompile(`(?m)^parley_connector_slow_consumers_total\S* [1-9]`)
)

// slowConsumers asks a connector whether it has closed a slow reader.
func (s *stage) slowConsumers(connector *process) func() bool {
	at := adminAt.FindStringSubmatch(connector.out.String())
	if at == nil {
		s.t.Fatal("the connector does not say where its metrics are")
	}
	s.t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return func() bool {
		res, err := http.Get("http://" + at[1] + "/metrics")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		return err == nil && slowConsumer.Match(text)
	}
}

// readSlowly reads until the connection ends, slowly until it is thrown out: a
// close frame does not wait for ever for what was queued before it.
func readSlowly(ws *websocket.Conn, thrownOut func() bool) error {
	hurry := false
	for n := 1; ; n++ {
		_ = ws.SetReadDeadline(time.Now().Add(patience))
		if _, _, err := ws.ReadMessage(); err != nil {
			return err
		}
		if hurry {
			continue
		}
		time.Sleep(10 * time.Millisecond)
		hurry = n%10 == 0 && thrownOut()
	}
}
