package cli_test

import (
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// /readyz reports what is missing, and which roles do without it.
func TestReadinessNamesReasons(t *testing.T) {
	embeddedtest.NeedEngine(t)
	broker := begin(t, "broker", "--open", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	kafka := broker.find(`the broker listens" address=(\S+)`)
	engine := begin(t, "clickhouse", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	dsn := "clickhouse://parley@" + engine.find(`ClickHouse listens" address=(\S+)`) + "/default"
	file := engine.find(`password_file=(\S+)`)
	connector := readyAddress(t, "connector", "--listen", "127.0.0.1:0", "--kafka", kafka, "--clickhouse", dsn, "--clickhouse-password-file", file)
	worker := readyAddress(t, "chatworker", "--kafka", kafka)
	projector := readyAddress(t, "projector", "--kafka", kafka, "--clickhouse", dsn, "--clickhouse-password-file", file)
	roles := []string{connector, worker, projector}
	allReady := func() bool {
		for _, at := range roles {
			if code, _ := readiness(t, at); code != http.StatusOK {
				return false
			}
		}
		return true
	}
	await.That(t, "all roles are ready", allReady)

	freeze := func(pid int, signal syscall.Signal) {
		t.Helper()
		if err := syscall.Kill(pid, signal); err != nil {
			t.Fatal(err)
		}
	}
	child := embeddedtest.EngineOf(t, engine.cmd.Process.Pid)
	freeze(child, syscall.SIGSTOP)
	await.That(t, "the projector misses ClickHouse", func() bool { return unreadyFor(t, projector, "ClickHouse") })
	for _, at := range []string{connector, worker} {
		if code, said := readiness(t, at); code != http.StatusOK {
			t.Errorf("without ClickHouse /readyz answers %d: %s", code, said)
		}
	}
	freeze(child, syscall.SIGCONT)
	await.That(t, "all roles are ready with ClickHouse", allReady)

	freeze(broker.cmd.Process.Pid, syscall.SIGSTOP)
	for _, at := range roles {
		await.That(t, "a role misses Kafka", func() bool { return unreadyFor(t, at, "Kafka") })
	}
	// Where neither answers, the health check of containers has its answer in time.
	freeze(child, syscall.SIGSTOP)
	asked := begin(t, "health", "--admin", strings.TrimPrefix(projector, "http://"))
	if code, said := asked.exitCode(), asked.said(); code != 1 || !strings.Contains(said, "Kafka") || !strings.Contains(said, "ClickHouse") {
		t.Errorf("parley health ends with %d: %s", code, said)
	}
	freeze(child, syscall.SIGCONT)
	freeze(broker.cmd.Process.Pid, syscall.SIGCONT)
	await.That(t, "all roles are ready with Kafka", allReady)
}

// A role that is being stopped reports that before anything else.
func TestStoppingIsSaidFirst(t *testing.T) {
	embeddedtest.NeedEngine(t)
	p := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--drain-delay", "1h")
	at := "http://" + p.find(`health is served" address=(\S+)`)
	chat := p.find(`(?m)^  chat +http://(\S+)$`)
	p.signal(syscall.SIGTERM)
	await.That(t, "it says that it is being stopped", func() bool {
		code, said := readiness(t, at)
		return code == http.StatusServiceUnavailable && strings.HasPrefix(said, "not ready\nit is shutting down\n")
	})
	if got := status("http://" + chat + "/"); got != http.StatusOK {
		t.Errorf("before the delay is over the page answers %d", got)
	}
	p.signal(syscall.SIGTERM)
	if code := p.exitCode(); code != 130 {
		t.Errorf("exit code %d after the second signal, want 130", code)
	}
}

// readyAddress starts a role and returns the URL of its admin address.
func readyAddress(t *testing.T, args ...string) string {
	t.Helper()
	return "http://" + begin(t, args...).find(`health is served" address=(\S+)`)
}

func unreadyFor(t *testing.T, at, reason string) bool {
	t.Helper()
	code, said := readiness(t, at)
	return code == http.StatusServiceUnavailable && strings.Contains(said, reason)
}

func readiness(t *testing.T, at string) (code int, said string) {
	t.Helper()
	res, err := http.Get(at + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}
