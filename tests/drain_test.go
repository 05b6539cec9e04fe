package tests

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// A stop is announced first, then new clients are refused, then those that are in
// are closed one by one; what was acknowledged meanwhile is there.
func TestDrainTakesItsTime(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	cfg := connector.Config{
		Base:       roles.Base{Kafka: c.config("connector"), Logger: c.logger},
		ClickHouse: c.clickhouse, Listen: "127.0.0.1:0",
		DrainDelay: 10 * time.Second, Drain: 6 * time.Second,
	}
	conn, err := connector.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	old := c.run("connector", conn.Run)
	await.That(t, "the connector is ready", ready(t, conn))
	url := "ws://" + conn.Addr().String() + "/ws"
	users := []*user{enter(t, url, "ada"), enter(t, url, "bob"), enter(t, url, "eve")}
	first := users[0].join("lobby")

	stopped := make(chan struct{})
	go func() { defer close(stopped); old.stop() }()
	await.That(t, "it says that it is draining", func() bool { return slices.Contains(conn.Health(t.Context()).Unready, "it is draining") })
	users = append(users, enter(t, url, "late")) // whoever has not heard of it is served
	users[0].chat("lobby", "while it drains")
	for _, u := range users {
		u.sees(rpc.PushDrain)
	}
	res, err := http.Get(strings.Replace(url, "ws:", "http:", 1))
	if err != nil {
		t.Fatal(err)
	}
	if res.Body.Close() != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Errorf("a new client is answered %s, %v", res.Status, res.Header)
	}
	ends := make([]time.Time, len(users))
	var ending sync.WaitGroup
	for i, u := range users {
		ending.Go(func() {
			if code, err := u.Ended(soon(t)); code != rpc.CloseShutdown {
				t.Errorf("%s is closed with %d, %v", u.name, code, err)
			}
			ends[i] = time.Now()
		})
	}
	ending.Wait()
	<-stopped
	slices.SortFunc(ends, time.Time.Compare)
	if spread := ends[len(ends)-1].Sub(ends[0]); spread < time.Second {
		t.Errorf("all are closed within %v", spread)
	}

	again := enter(t, c.connector(nil).addr, "ada")
	r := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &first.Seq, Epoch: first.Epoch})
	if r.Recovered == nil || !*r.Recovered || !slices.Equal(bodies(r.Messages), []string{"while it drains"}) {
		t.Errorf("%+v", r)
	}
}
