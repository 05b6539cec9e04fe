package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// lines gathers what a process writes to one stream.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// logged starts `parley args…` and returns it with what it logs.
func logged(t *testing.T, args ...string) (*exec.Cmd, *lines) {
	t.Helper()
	cmd, log := exec.Command(os.Args[0], args...), &lines{}
	cmd.Env, cmd.Stderr = append(os.Environ(), programEnv+"=1"), log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()
	})
	return cmd, log
}

// every line is a JSON object with time, level and msg; the last one's msg is
// returned.
func everyLineIsJSON(t *testing.T, log string) (last string) {
	t.Helper()
	for line := range strings.Lines(log) {
		var record struct{ Time, Level, Msg, Address string }
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" || record.Level == "" || record.Msg == "" {
			t.Errorf("no line of a JSON log: %q (%v)", line, err)
		}
		last = record.Msg
	}
	return last
}

// With --log-format json, all that goes to stderr is JSON: what the roles log,
// what libraries log, the answer to Ctrl-C, and why the program ends.
func TestLogIsJSONThroughout(t *testing.T) {
	embeddedtest.NeedEngine(t)
	json := []string{"--log-format", "json", "--log-level", "debug"}
	up, log := logged(t, append([]string{"up", "--listen", "127.0.0.1:0", "--data", t.TempDir()}, json...)...)
	await.That(t, "it is ready", func() bool { return strings.Contains(log.String(), `"msg":"parley is ready"`) })
	_, after, _ := strings.Cut(log.String(), `"chat":"http://`)
	addr, _, _ := strings.Cut(after, `"`)
	talk(t, addr)
	conn, err := net.Dial("tcp", addr) // which the HTTP library complains of
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := up.Wait(); err != nil {
		t.Error(err)
	}
	everyLineIsJSON(t, log.String())
	if !strings.Contains(log.String(), "stopping; interrupt again") {
		t.Error("it does not answer Ctrl-C")
	}
	_, log = logged(t, append([]string{"connector", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:1"}, json...)...)
	await.That(t, "a connector tries", func() bool { return strings.Contains(log.String(), "waiting for Kafka") })
	everyLineIsJSON(t, log.String())
	failing, log := logged(t, append([]string{"connector", "--listen", "127.0.0.1:0", "--auth-key", "/nowhere"}, json...)...)
	if failing.Wait() == nil {
		t.Error("a connector without its key runs")
	}
	if last := everyLineIsJSON(t, log.String()); !strings.Contains(last, "--auth-key /nowhere: it cannot be read") {
		t.Errorf("it ends with %q", last)
	}
}

const secret = "hunter2hunter2"

// Passwords and tokens are in no log and in no error, whatever goes wrong with
// them.
func TestSecretsAreNeverTold(t *testing.T) {
	embeddedtest.NeedEngine(t)
	server := strings.TrimPrefix(embeddedtest.ClickHouse(t), "clickhouse://")
	server, _, _ = strings.Cut(server, "/")
	server = server[strings.LastIndexByte(server, '@')+1:]
	kafka := embeddedtest.Kafka(t)
	for _, args := range [][]string{
		{"projector", "--kafka", kafka, "--clickhouse", "http://ada:" + secret + "@host"},
		{"projector", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@host:port/x"},
		{"projector", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "%zz@host/x"},
		{"projector", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@ho st/x"},
		{"projector", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@host/x?nope=1"},
		{"projector", "clickhouse://ada:" + secret + "@host/x"},
		{"verify", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@" + server + "/default"},
		{"verify", "--kafka", kafka, "--wait", "200ms", "--clickhouse", "clickhouse://ada:" + secret + "@127.0.0.1:1/default"},
		{"doctor", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@" + server + "/default"},
		{"topics", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@127.0.0.1:1/default"},
		{"history", "lobby", "--kafka", kafka, "--clickhouse", "clickhouse://ada:" + secret + "@" + server + "/default"},
		{"topics", "--kafka", kafka, "--kafka-password", secret},
		{"topics", "--kafka", kafka, "--kafka-sasl", "PLAIN", "--kafka-password", secret},
		{"topics", "--kafka", kafka, "--kafka-sasl", "PLAIN", "--kafka-user", "ada", "--kafka-password", secret, "--wait", "1s"},
		{"tail", "--kafka", kafka, "--kafka-sasl", "SCRAM-SHA-256", "--kafka-user", "ada", "--kafka-password", secret, "--wait", "1s"},
		{"connector", "--kafka", kafka, "--kafka-sasl", "NONE", "--kafka-user", "ada", "--kafka-password", secret},
	} {
		var out, errs bytes.Buffer
		cli.Run(args, &out, &errs)
		if said := out.String() + errs.String(); said == "" || strings.Contains(said, secret) {
			t.Errorf("parley %s says %q", args[0], said)
		}
	}
	for _, address := range []string{server, "127.0.0.1:1"} { // refused, and nobody there
		_, log := logged(t, "projector", "--kafka", kafka, "--log-level", "debug", "--clickhouse", "clickhouse://ada:"+secret+"@"+address+"/default")
		await.That(t, "the projector complains", func() bool {
			return strings.Contains(log.String(), "ClickHouse is in trouble") || strings.Contains(log.String(), "refuses user")
		})
		if strings.Contains(log.String(), secret) {
			t.Errorf("the password is in the log:\n%s", log.String())
		}
	}
	t.Setenv("PARLEY_CLICKHOUSE", "ada:"+secret+"@host")
	var out, errs bytes.Buffer
	if code := cli.Run([]string{"projector"}, &out, &errs); code != 2 || strings.Contains(errs.String(), secret) {
		t.Errorf("with an invalid DSN in the environment: exit code %d, %q", code, errs.String())
	}
}

// A token that is refused is not logged either, nor the key that it was to be
// verified with.
func TestTokensAreNeverTold(t *testing.T) {
	embeddedtest.NeedEngine(t)
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(strings.Repeat(secret, 3)), 0o600); err != nil {
		t.Fatal(err)
	}
	_, log := logged(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--auth-secret", key, "--log-level", "debug")
	await.That(t, "it is ready", func() bool { return strings.Contains(log.String(), "parley is ready") })
	_, after, _ := strings.Cut(log.String(), "chat=http://")
	addr, _, _ := strings.Cut(after, " ")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, token := range []string{"token-" + secret, "eyJhbGciOiJIUzI1NiJ9." + secret + "." + secret} {
		c, err := client.Dial(ctx, "ws://"+addr+"/ws", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Call(ctx, rpc.MethodHello, rpc.HelloParams{Token: token}, nil); err == nil {
			t.Error("an invalid token is accepted")
		} else if strings.Contains(err.Error(), secret) {
			t.Errorf("the client is told its token: %v", err)
		}
		c.Cut()
	}
	if strings.Contains(log.String(), secret) {
		t.Errorf("a token or the key is in the log:\n%s", log.String())
	}
}
