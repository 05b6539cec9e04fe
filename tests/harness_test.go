package tests

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/metric"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/hooks"
	"github.com/parley-chat/parley/internal/ingest"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// patience bounds every wait of these tests; none is expected to last.
const patience = await.Limit

// quietLogger is for tests whose roles are expected to complain.
var quietLogger = slog.New(slog.DiscardHandler)

// onEmbeddedBroker skips a test that brings its own broker where the tests run
// against Apache Kafka: it would only be repeated.
func onEmbeddedBroker(t *testing.T) {
	t.Helper()
	if krafttest.Asked() {
		t.Skip("is about the embedded broker")
	}
}

// cluster is a set of roles on real servers. Roles are started and stopped one
// by one.
type cluster struct {
	t          *testing.T
	kafka      string
	clickhouse string
	logger     *slog.Logger
	meters     metric.MeterProvider // nil: nothing is measured
	as         string               // user of Kafka; "" for none
}

// role is one running component.
type role struct {
	stop   func()
	addr   string
	pomelo string // host:port
}

func newCluster(t *testing.T) *cluster {
	level := slog.LevelWarn
	if os.Getenv("PARLEY_TEST_LOG") != "" {
		level = slog.LevelDebug
	}
	return &cluster{
		t: t, kafka: embeddedtest.Kafka(t), clickhouse: embeddedtest.ClickHouse(t),
		logger: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: level})),
	}
}

// up starts what most tests need: two connectors, two workers, a projector.
func up(t *testing.T) (c *cluster, first, second string) {
	c = newCluster(t)
	c.worker()
	c.worker()
	c.projector()
	return c, c.connector(nil).addr, c.connector(nil).addr
}

func (c *cluster) config(name string) eventlog.Config {
	cfg := login(c.as)
	cfg.Brokers, cfg.ClientID, cfg.Meters, cfg.Logger = []string{c.kafka}, name, c.meters, c.logger.With("role", name)
	return cfg
}

// run starts a component until stop or the end of the test.
func (c *cluster) run(name string, run func(context.Context) error) *role {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				c.t.Errorf("%s: %v", name, err)
			}
		})
	}
	c.t.Cleanup(stop)
	return &role{stop: stop}
}

// base is what a role of the cluster needs.
func (c *cluster) base(name string) roles.Base {
	return roles.Base{Kafka: c.config(name), Meters: c.meters, Logger: c.logger.With("role", name)}
}

func (c *cluster) worker() *role {
	w, err := chatworker.New(chatworker.Config{Base: c.base("chatworker")})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.run("chatworker", w.Run)
}

func (c *cluster) projector() *role {
	p, err := projector.New(projector.Config{Base: c.base("projector"), ClickHouse: c.clickhouse})
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.run("projector", p.Run)
	await.That(c.t, "the projector is ready, its tables made", ready(c.t, p))
	return r
}

// hooksTo sends all events of the log to a receiver.
func (c *cluster) hooksTo(name string, to webhook.Receiver) *role {
	from, err := hooks.ParseFrom("beginning")
	if err != nil {
		c.t.Fatal(err)
	}
	h, err := hooks.New(hooks.Config{Base: c.base("hooks"), Name: name, Receiver: to, From: from})
	if err != nil {
		c.t.Fatal(err)
	}
	return c.run("hooks", h.Run)
}

// ingest starts one and waits until it serves partitions.
func (c *cluster) ingest() *role {
	i, err := ingest.New(ingest.Config{Base: c.base("ingest"), ClickHouse: c.clickhouse})
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.run("ingest", i.Run)
	await.That(c.t, "ingest is ready", ready(c.t, i))
	return r
}

// connector starts one and waits until clients may come.
func (c *cluster) connector(change func(*connector.Config)) *role {
	cfg := connector.Config{
		Base: c.base("connector"), ClickHouse: c.clickhouse, Listen: "127.0.0.1:0",
		HistoryTime: patience, // a busy machine must not shorten an answer
	}
	if change != nil {
		change(&cfg)
	}
	conn, err := connector.New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.run("connector", conn.Run)
	r.addr = fmt.Sprintf("ws://%s/ws", conn.Addr())
	if at := conn.PomeloAddr(); at != nil {
		r.pomelo = at.String()
	}
	await.That(c.t, "the connector is ready", ready(c.t, conn))
	return r
}

// ready is whether a role is.
func ready(t *testing.T, r interface {
	Health(context.Context) roles.Health
}) func() bool {
	return func() bool { return r.Health(t.Context()).Ready() }
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// user is a session of one user, with what tests ask of it. Its methods fail
// the test when the server does not answer as the protocol says.
type user struct {
	*client.Client
	t     *testing.T
	name  string
	hello rpc.HelloResult
	chain map[string]int64 // the seq that the next public message must follow
}

func enter(t *testing.T, url, name string) *user {
	t.Helper()
	c, hello, err := client.Enter(soon(t), url, name)
	if err != nil {
		t.Fatalf("%s enters: %v", name, err)
	}
	t.Cleanup(c.Cut)
	return &user{c, t, name, hello, map[string]int64{}}
}

func (u *user) call(method string, params, result any) {
	u.t.Helper()
	if err := u.ask(method, params, result); err != nil {
		u.t.Fatalf("%s: %s %+v: %v", u.name, method, params, err)
	}
}

// ask makes a request, again and again while history cannot be read, as clients do: on
// a machine with other work ClickHouse may take longer than a request waits.
func (u *user) ask(method string, params, result any) error {
	return untilRead(soon(u.t), func(ctx context.Context) error { return u.Call(ctx, method, params, result) })
}

// untilRead asks until the answer is another than that history cannot be read.
func untilRead(ctx context.Context, ask func(context.Context) error) error {
	for {
		err := ask(ctx)
		var bad *rpc.Error
		if !errors.As(err, &bad) || bad.Code != rpc.CodeHistoryUnavailable {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (u *user) refused(code int, method string, params any) *rpc.Error {
	u.t.Helper()
	err := u.Call(soon(u.t), method, params, nil)
	bad, ok := err.(*rpc.Error)
	if !ok || bad.Code != code {
		u.t.Fatalf("%s: %s %+v: %v, want error %d", u.name, method, params, err, code)
	}
	return bad
}

func (u *user) join(channel string) rpc.JoinResult {
	u.t.Helper()
	return u.joinWith(rpc.JoinParams{Channel: channel})
}

func (u *user) joinWith(p rpc.JoinParams) rpc.JoinResult {
	u.t.Helper()
	var r rpc.JoinResult
	await.That(u.t, u.name+"'s join of "+p.Channel+" is answered", func() bool {
		err := u.ask(rpc.MethodJoin, p, &r)
		if isUnavailable(err) { // there is no worker yet: as clients do, it asks again
			return false
		}
		if err != nil {
			u.t.Fatalf("%s: join %+v: %v", u.name, p, err)
		}
		return true
	})
	u.chain[p.Channel] = r.Last
	return r
}

// isUnavailable is whether a request may be made again, as nobody carried it out.
func isUnavailable(err error) bool {
	var bad *rpc.Error
	return errors.As(err, &bad) && bad.Code == rpc.CodeUnavailable
}

func (u *user) chat(channel, body string) rpc.ActResult {
	u.t.Helper()
	return u.chatWith(rpc.ChatParams{Channel: channel, Body: body})
}

func (u *user) chatWith(p rpc.ChatParams) rpc.ActResult {
	u.t.Helper()
	var r rpc.ActResult
	u.call(rpc.MethodChat, p, &r)
	return r
}

func (u *user) leave(channel string) {
	u.t.Helper()
	u.call(rpc.MethodLeave, rpc.LeaveParams{Channel: channel}, nil)
}

func (u *user) history(p rpc.HistoryParams) rpc.HistoryResult {
	u.t.Helper()
	var r rpc.HistoryResult
	u.call(rpc.MethodHistory, p, &r)
	return r
}

func (u *user) members(channel string) []string {
	u.t.Helper()
	var r rpc.MembersResult
	u.call(rpc.MethodMembers, rpc.MembersParams{Channel: channel}, &r)
	return names(r.Members)
}

// hears waits for the next chat and checks it against the chain.
func (u *user) hears() rpc.ChatPush {
	u.t.Helper()
	m, err := u.NextChat(soon(u.t))
	if err != nil {
		u.t.Fatalf("%s waits for a message: %v", u.name, err)
	}
	if want, joined := u.chain[m.Channel]; joined && m.Prev != want {
		u.t.Errorf("%s: the message at %d follows %d, the one before was at %d", u.name, m.Seq, m.Prev, want)
	}
	if m.To == "" {
		u.chain[m.Channel] = m.Seq
	}
	return m
}

// sees waits for the next push of that method.
func (u *user) sees(method string) client.Push {
	u.t.Helper()
	for {
		p, err := u.Next(soon(u.t))
		if err != nil {
			u.t.Fatalf("%s waits for %s: %v", u.name, method, err)
		}
		if p.Method == method {
			return p
		}
	}
}

func names(members []rpc.Member) []string {
	all := make([]string, len(members))
	for i, m := range members {
		all[i] = m.User
	}
	return all
}

func bodies(messages []rpc.Message) []string {
	all := make([]string, len(messages))
	for i, m := range messages {
		all[i] = m.Body
	}
	return all
}

func ptr[T any](v T) *T { return &v }
