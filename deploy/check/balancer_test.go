package check

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// balance starts the real nginx with the configuration that is shipped, before
// two connectors, and returns its address. Edits are texts to replace and what
// takes their place.
func balance(t *testing.T, first, second string, edits ...string) string {
	t.Helper()
	values := map[string]string{"PARLEY_LB_CONNECTOR_1": first, "PARLEY_LB_CONNECTOR_2": second}
	startNginx(t, values, nginxTemplate, edits...)
	return values["PARLEY_LB_LISTEN"]
}

// startNginx fills in a template, adds where nginx listens to the values, and
// waits until nginx answers. What is beside it in the folder of values is what
// it may include.
func startNginx(t *testing.T, values map[string]string, template string, edits ...string) {
	t.Helper()
	nginx := need(t, "nginx", "apt-get install nginx-light, or brew install nginx")
	if values["PARLEY_LB_RUN"] == "" {
		values["PARLEY_LB_RUN"] = t.TempDir()
	}
	run, at := values["PARLEY_LB_RUN"], freeAddr(t)
	values["PARLEY_LB_LISTEN"] = at
	config := filepath.Join(run, "nginx.conf")
	fillIn(t, template, config, values, edits...)
	start(t, nginx, "-p", run, "-e", "stderr", "-c", config, "-g", "daemon off;")
	eventually(t, "nginx answers", func() bool {
		res, err := http.Get("http://" + at + "/lb-health")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
}

// fillIn makes a file of a template, as the container's envsubst does.
func fillIn(t *testing.T, template, file string, values map[string]string, edits ...string) {
	t.Helper()
	text, err := os.ReadFile(template)
	if err != nil {
		t.Fatal(err)
	}
	filled := templated.ReplaceAllStringFunc(string(text), func(name string) string {
		return values[strings.Trim(name, "${}")]
	})
	for i := 0; i < len(edits); i += 2 {
		if strings.Count(filled, edits[i]) != 1 {
			t.Fatalf("the configuration has %q %d times, want once", edits[i], strings.Count(filled, edits[i]))
		}
		filled = strings.Replace(filled, edits[i], edits[i+1], 1)
	}
	if err := os.WriteFile(file, []byte(filled), 0o600); err != nil {
		t.Fatal(err)
	}
}

// What connectors see of a client is what nginx saw of it.
func TestBalancerSaysWhoAsks(t *testing.T) {
	var seen atomic.Pointer[http.Request]
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Store(r.Clone(context.Background()))
		fmt.Fprintln(w, "here")
	}))
	defer echo.Close()
	// Nobody listens at the other one: the answer comes all the same.
	at := balance(t, freeAddr(t), strings.TrimPrefix(echo.URL, "http://"))
	for range 3 {
		req, err := http.NewRequest(http.MethodGet, "http://"+at+"/ws?a=b", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "chat.example"
		for name, value := range map[string]string{
			"X-Forwarded-For": "10.6.6.6", "X-Forwarded-Proto": "https", "X-Real-IP": "10.6.6.6",
			"Origin": "https://chat.example", "Authorization": "Bearer abc",
		} {
			req.Header.Set(name, value)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %d although one of two is there", res.StatusCode)
		}
		got := seen.Load()
		for name, want := range map[string]string{
			"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "http", "X-Real-Ip": "127.0.0.1",
			"Origin": "https://chat.example", "Authorization": "Bearer abc", "Upgrade": "", "Connection": "",
		} {
			if value := strings.Join(got.Header.Values(name), ","); value != want {
				t.Errorf("%s is %q, want %q", name, value, want)
			}
		}
		if got.Host != "chat.example" || got.URL.String() != "/ws?a=b" {
			t.Errorf("host %s, URL %s", got.Host, got.URL)
		}
	}
}

// The configuration's own comment says what to change for a chat below a path.
func TestBalancerBelowAPath(t *testing.T) {
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL)
	}))
	defer echo.Close()
	at := balance(t, freeAddr(t), strings.TrimPrefix(echo.URL, "http://"),
		"location / {", "location /chat/ {", "proxy_pass http://connectors;", "proxy_pass http://connectors/;")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for path, want := range map[string]string{"/chat/": "/", "/chat/ws?a=b": "/ws?a=b", "/chat/sdk/parley.js": "/sdk/parley.js"} {
		res, err := client.Get("http://" + at + path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || string(got) != want {
			t.Errorf("%s reaches the connector as %q, want %q; %v", path, got, want, err)
		}
	}
	res, err := client.Get("http://" + at + "/chat")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Location"); res.StatusCode != http.StatusMovedPermanently || got != "/chat/" {
		t.Errorf("/chat: %d to %q, want 301 to /chat/", res.StatusCode, got)
	}
}

// behind is a Parley of several processes behind nginx.
type behind struct {
	at         string              // of nginx
	connectors map[string]*process // by address
	restart    func(at string)
}

func startBehind(t *testing.T) *behind {
	t.Helper()
	b, first, second := startRoles(t)
	b.at = balance(t, first, second)
	return b
}

// startRoles starts two of each, with these flags of connectors, and returns
// the connectors' addresses.
func startRoles(t *testing.T, flags ...string) (b *behind, first, second string) {
	t.Helper()
	needFile(t, "deploy/engine/node_modules/@chdb/lib-*/libchdb.*", "run make build")
	broker := start(t, binary, "broker", "--open", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	kafka := broker.find(`the broker listens" address=(\S+)`)
	data := t.TempDir()
	engine := start(t, binary, "clickhouse", "--listen", "127.0.0.1:0", "--data", data)
	history := "clickhouse://parley@" + engine.find(`ClickHouse listens" address=(\S+)`) + "/default?password-file=" + filepath.Join(data, "clickhouse.password")
	b = &behind{connectors: map[string]*process{}}
	b.restart = func(at string) {
		args := []string{"connector", "--listen", at, "--kafka", kafka, "--clickhouse", history, "--proxies", "127.0.0.1/32", "--drain", "6s"}
		b.connectors[at] = start(t, binary, append(args, flags...)...)
	}
	first, second = freeAddr(t), freeAddr(t)
	b.restart(first)
	b.restart(second)
	roles := []*process{
		start(t, binary, "chatworker", "--kafka", kafka), start(t, binary, "chatworker", "--kafka", kafka),
		start(t, binary, "projector", "--kafka", kafka, "--clickhouse", history),
		b.connectors[first], b.connectors[second],
	}
	for _, p := range roles {
		p.ready()
	}
	return b, first, second
}

// serving returns the address of the connector that has a session.
func (b *behind) serving(c *client) string {
	for at, p := range b.connectors {
		if strings.Contains(p.said(), "connector="+c.connector) {
			return at
		}
	}
	return ""
}

// A connector is killed under its clients: they come back at the other one by
// the same address, and have missed nothing. When it is back, it gets clients.
func TestBalancerMovesClients(t *testing.T) {
	b := startBehind(t)
	page(t, b.at)
	clients, on := spread(t, b, 6)
	for at, n := range on {
		if n != 3 {
			t.Errorf("%d of 6 sessions are at %s, want 3: %v", n, at, on)
		}
	}
	ada := clients[0]
	bob := clients[1]
	if b.serving(ada) == b.serving(bob) {
		bob = clients[2]
	}
	j := ada.join("lobby", 0, "")
	bob.join("lobby", 0, "")
	say(bob, 0, 20)
	eventually(t, "ada has the first messages", func() bool { return len(ada.pushed()) == 20 })

	lost := b.serving(ada)
	b.connectors[lost].end(syscall.SIGKILL)
	<-ada.ended
	say(bob, 20, 40) // at the other connector, while ada is away
	again := enter(t, b.at, "ada")
	if b.serving(again) == lost || b.serving(again) == "" {
		t.Errorf("ada is back at %q, and %s was killed", b.serving(again), lost)
	}
	seen := ada.pushed()
	r := again.join("lobby", seen[len(seen)-1].Seq, j.Epoch)
	if r.Recovered == nil || !*r.Recovered {
		t.Errorf("the join with since is answered %+v", r)
	}
	say(bob, 40, 60)
	eventually(t, "ada has the last messages", func() bool { return len(r.Messages)+len(again.pushed()) >= 40 })
	whole(t, append(append(seen, r.Messages...), again.pushed()...), 60)

	b.restart(lost)
	b.connectors[lost].ready()
	eventually(t, "a new client gets to the connector that is back", func() bool {
		return b.serving(enter(t, b.at, "eve")) == lost
	})
	b.drains(t, b.serving(bob), lost)
}

// drains stops a connector in order. While it closes its sessions one by one,
// whoever comes through nginx gets to the other, and nobody is refused.
func (b *behind) drains(t *testing.T, leaving, staying string) {
	t.Helper()
	p := b.connectors[leaving]
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connector that leaves refuses clients", func() bool {
		res, err := http.Get("http://" + leaving + "/ws")
		return err == nil && res.Body.Close() == nil && res.StatusCode == http.StatusServiceUnavailable
	})
	came := 0
	for pace := time.NewTicker(50 * time.Millisecond); ; came++ {
		c, err := dial(t, b.at, fmt.Sprint("mae", came)) // one user has a limit
		if err != nil {
			t.Fatalf("after %d others a new client is refused: %v", came, err)
		}
		if at := b.serving(c); at != staying {
			t.Errorf("a new client is at %q, want %s", at, staying)
		}
		select {
		case <-p.done:
			if came < 5 {
				t.Errorf("only %d clients came while it drained", came)
			}
			return
		case <-pace.C:
		}
	}
}

// page fetches the page as a browser does.
func page(t *testing.T, at string) {
	t.Helper()
	res, err := http.Get("http://" + at + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(body), "<html") {
		t.Errorf("the page: %v, status %d, %q", err, res.StatusCode, body)
	}
}

// spread opens sessions and counts them by connector.
func spread(t *testing.T, b *behind, n int) (all []*client, on map[string]int) {
	t.Helper()
	on = map[string]int{}
	for i := range n {
		c := enter(t, b.at, fmt.Sprint("user-", i))
		all = append(all, c)
		on[b.serving(c)]++
	}
	return all, on
}

func say(c *client, from, to int) {
	for i := from; i < to; i++ {
		c.chat("lobby", fmt.Sprint(i))
	}
}

// whole compares what a reader got with what was sent: everything, once, in
// order.
func whole(t *testing.T, got []message, want int) {
	t.Helper()
	bodies := make([]string, len(got))
	for i, m := range got {
		bodies[i] = m.Body
		if m.Body != fmt.Sprint(i) {
			t.Errorf("message %d is %q", i, m.Body)
			break
		}
	}
	if len(got) != want {
		t.Errorf("%d messages, want %d: %v", len(got), want, bodies)
	}
}
