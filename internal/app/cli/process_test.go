package cli_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

func TestUpIsReadyStopsAndStartsAgain(t *testing.T) {
	embeddedtest.NeedEngine(t)
	dir, listen := filepath.Join(t.TempDir(), "R&D data+"), "127.0.0.1:0"
	for range 2 {
		p := begin(t, "up", "--listen", listen, "--data", dir, "--admin", "127.0.0.1:0")
		listen = p.find(`(?m)^  chat +http://(\S+)$`)
		admin := p.find(`health is served" address=(\S+)`)
		if got := status("http://" + admin + "/readyz"); got != 200 {
			t.Errorf("/readyz answers %d", got)
		}
		if got := status("http://" + listen + "/"); got != 200 {
			t.Errorf("the page answers %d", got)
		}
		engine := embeddedtest.EngineOf(t, p.cmd.Process.Pid)
		p.signal(os.Interrupt)
		if code := p.exitCode(); code != 0 {
			t.Errorf("exit code %d after Ctrl-C:\n%s", code, p.said())
		}
		if engine == 0 || embeddedtest.Running(t, engine) {
			t.Errorf("ClickHouse child %d: 0, or still running", engine)
		}
	}
}

func TestUpSurvivesKill(t *testing.T) {
	embeddedtest.NeedEngine(t)
	dir, listen := t.TempDir(), "127.0.0.1:0"
	for range 2 {
		p := begin(t, "up", "--listen", listen, "--data", dir)
		listen = p.find(`(?m)^  chat +http://(\S+)$`)
		engine := embeddedtest.EngineOf(t, p.cmd.Process.Pid)
		p.kill()
		await.That(t, "ClickHouse ends with parley up", func() bool { return !embeddedtest.Running(t, engine) })
	}
}

func TestSecondInterruptEndsAtOnce(t *testing.T) {
	embeddedtest.NeedEngine(t)
	p := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	p.find("Parley is ready")
	engine := embeddedtest.EngineOf(t, p.cmd.Process.Pid)
	// A frozen child would hold up an orderly stop.
	if err := syscall.Kill(engine, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	p.signal(os.Interrupt)
	p.find("interrupt again to stop at once")
	p.signal(os.Interrupt)
	if code := p.exitCode(); code != 130 {
		t.Errorf("exit code %d, want 130", code)
	}
	await.That(t, "ClickHouse ends too", func() bool { return !embeddedtest.Running(t, engine) })
}

func TestUpSaysWhatIsInTheWay(t *testing.T) {
	embeddedtest.NeedEngine(t)
	dir := t.TempDir()
	first := begin(t, "up", "--listen", "127.0.0.1:0", "--data", dir)
	listen := first.find(`(?m)^  chat +http://(\S+)$`)
	inUse := fmt.Sprintf("in use by process %d", first.cmd.Process.Pid)

	second := begin(t, "up", "--listen", "127.0.0.1:0", "--data", dir)
	third := begin(t, "up", "--listen", listen, "--data", t.TempDir())
	for p, want := range map[*program][]string{
		second: {dir, inUse, "--data"},
		third:  {listen, inUse, "--listen"},
	} {
		if code := p.exitCode(); code != 1 {
			t.Errorf("exit code %d, want 1", code)
		}
		for _, w := range want {
			if last := lastLine(p.said()); !strings.Contains(last, w) {
				t.Errorf("%q does not say %q", last, w)
			}
		}
	}
}

func TestRolesRunAsProcesses(t *testing.T) {
	embeddedtest.NeedEngine(t)
	broker := begin(t, "broker", "--open", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	kafka := broker.find(`the broker listens" address=(\S+)`)
	engine := begin(t, "clickhouse", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	dsn := "clickhouse://parley@" + engine.find(`ClickHouse listens" address=(\S+)`) + "/default"
	file := engine.find(`password_file=(\S+)`)
	roles := []*program{
		begin(t, "connector", "--listen", "127.0.0.1:0", "--kafka", kafka, "--clickhouse", dsn, "--clickhouse-password-file", file),
		begin(t, "connector", "--listen", "127.0.0.1:0", "--kafka", kafka, "--clickhouse", dsn, "--clickhouse-password-file", file),
		begin(t, "projector", "--kafka", kafka, "--clickhouse", dsn, "--clickhouse-password-file", file),
		begin(t, "chatworker", "--kafka", kafka),
	}
	for _, p := range roles {
		admin := p.find(`health is served" address=(\S+)`)
		await.That(t, fmt.Sprint(p.cmd.Args[1], " is ready"), func() bool { return status("http://"+admin+"/readyz") == 200 })
	}
	for _, p := range append(roles, engine, broker) {
		p.signal(syscall.SIGTERM)
		if code := p.exitCode(); code != 0 {
			t.Errorf("%s: exit code %d after SIGTERM:\n%s", p.cmd.Args[1], code, p.said())
		}
	}
}

// A role that finds no server waits, logs that and can be stopped.
func TestRoleWaitsForItsServers(t *testing.T) {
	p := begin(t, "chatworker", "--kafka", "127.0.0.1:1")
	p.find("waiting for Kafka")
	p.signal(os.Interrupt)
	if code := p.exitCode(); code != 0 {
		t.Errorf("exit code %d:\n%s", code, p.said())
	}
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
