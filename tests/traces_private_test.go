package tests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/testing/telemetrytest"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// Whatever happens to a message, neither the logs nor the traces of any part
// reveal its text, whom it is for or who a token belongs to.
func TestLogsAndTracesHoldNothingPrivate(t *testing.T) {
	onEmbeddedBroker(t)
	embeddedtest.NeedEngine(t)
	got, url := telemetrytest.HTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	secret := strings.Repeat("canary-secret-", 3)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freeport.AddressFor(t)
	up := start(t, "up", "--listen", addr, "--data", t.TempDir(), "--auth-secret", key, "--max-body", "64", "--log-level", "debug")
	token := func(user string, expiry time.Duration) string {
		signed, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{"sub": user, "exp": time.Now().Add(expiry).Unix(), "iat": time.Now().Unix(), "parley": grantAll}).SignedString([]byte(secret))
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	dial := func(token string) (*client.Client, error) {
		c, err := client.Dial(soon(t), "ws://"+addr+"/ws", nil)
		if err != nil {
			return nil, err
		}
		t.Cleanup(c.Cut)
		return c, c.Call(soon(t), rpc.MethodHello, rpc.HelloParams{Token: token}, nil)
	}
	tokens := []string{token("canary-ada", time.Hour), token("canary-eve", -time.Hour), "canary-token"}
	var ada *client.Client
	await.That(t, "ada is let in", func() (in bool) {
		var err error
		ada, err = dial(tokens[0])
		return err == nil
	})
	for _, bad := range tokens[1:] {
		if _, err := dial(bad); err == nil {
			t.Errorf("token %s is accepted", bad)
		}
	}
	call := func(method string, params any, refused int) {
		t.Helper()
		err := ada.Call(soon(t), method, params, nil)
		if code := codeOf(err); code != refused {
			t.Errorf("%s: %v, want code %d", method, err, refused)
		}
	}
	call(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}, 0)
	call(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "canary-public"}, 0)
	call(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "canary-private", To: "canary-bob", ID: "canary-id"}, 0)
	call(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "canary-repeated", To: "canary-bob", ID: "canary-id"}, 0)
	call(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: strings.Repeat("canary-long", 10)}, rpc.CodeTooLarge)
	call(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "canary", To: "canary\u0001"}, rpc.CodeInvalidParams)
	call(rpc.MethodHistory, rpc.HistoryParams{Channel: "lobby", Around: ptr[int64](3)}, 0)
	call(rpc.MethodMembers, rpc.MembersParams{Channel: "lobby"}, 0)
	call(rpc.MethodLeave, rpc.LeaveParams{Channel: "lobby"}, 0)
	call(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}, 0)
	await.That(t, "every part reported its work", func() bool {
		return len(got.Named("chat")) >= 5 && len(got.Named("process parley.push")) >= 5 &&
			len(got.Named("INSERT events_1")) > 0 && len(got.Named("read history")) > 0
	})
	up.signal(syscall.SIGTERM)
	for where, told := range map[string][]byte{"traces": got.Raw(), "logs": []byte(up.out.String())} {
		if len(told) < 1000 {
			t.Errorf("the %s are too short to be of use here: %d bytes", where, len(told))
		}
		for _, private := range append(tokens, "canary", secret) {
			if at := bytes.Index(told, []byte(private)); at >= 0 {
				t.Errorf("the %s hold %q: %q", where, private, told[max(0, at-100):min(len(told), at+100)])
			}
		}
	}
}

func codeOf(err error) int {
	if err == nil {
		return 0
	}
	if refused, ok := err.(*rpc.Error); ok {
		return refused.Code
	}
	return -1
}

// What fails is exported although no trace is sampled: an insert into a
// ClickHouse that is gone. Nothing else is, and messages name no trace.
func TestFailuresAreToldOfUnsampled(t *testing.T) {
	onEmbeddedBroker(t)
	embeddedtest.NeedEngine(t)
	got, url := telemetrytest.HTTP(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
	t.Setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off")
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	r := startRoles(t)
	ada := enter(t, r.urls[0], "ada")
	ada.join("lobby")
	ada.chat("lobby", "before")
	if m := ada.hears(); m.Trace != "" {
		t.Errorf("a message that is not sampled names trace %s", m.Trace)
	}
	db := clickhousetest.Connect(t, r.clickhouse)
	await.That(t, "the projector writes", func() bool {
		var rows uint64
		return db.QueryRow(soon(t), "SELECT count() FROM events_1 WHERE kind = 'chat'").Scan(&rows) == nil && rows == 1
	})
	r.store.signal(syscall.SIGKILL)
	for i := 0; len(got.Named("INSERT events_1")) == 0; i++ {
		if i > int(patience/(100*time.Millisecond)) {
			t.Fatalf("no failed insert is reported, only %v", got.Spans())
		}
		ada.chat("lobby", fmt.Sprint("after ", i))
		time.Sleep(100 * time.Millisecond)
	}
	for _, s := range got.Spans() {
		// On a slow machine a read of history may have failed as well, within its request.
		if !s.Failed() || s.Name == "INSERT events_1" && s.Parent() != "" || s.Attributes["error.type"] == "" {
			t.Errorf("reported by %s: %v", s.Service(), s)
		}
	}
	if s := got.Named("INSERT events_1")[0]; s.Service() != "parley-projector" {
		t.Errorf("an insert by %s", s.Service())
	}
}
