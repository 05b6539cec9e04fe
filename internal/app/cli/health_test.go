package cli_test

import (
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/app/cli"
)

func TestHealthAsksARunningCommand(t *testing.T) {
	ask := func(admin string) (int, string) {
		var out, errs bytes.Buffer
		code := cli.Run([]string{"health", "--admin", admin}, &out, &errs)
		return code, out.String() + errs.String()
	}
	broker := begin(t, "broker", "--open", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	at := broker.find(`health is served" address=(\S+)`)
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		t.Fatal(err)
	}
	// Every form of a listening address can be asked.
	for _, admin := range []string{at, ":" + port, "0.0.0.0:" + port} {
		if code, said := ask(admin); code != 0 || said != "ready\n" {
			t.Errorf("%s: exit code %d, says %q", admin, code, said)
		}
	}
	// A worker without its broker runs, and is not ready.
	worker := begin(t, "chatworker", "--kafka", "127.0.0.1:1")
	if code, said := ask(worker.find(`health is served" address=(\S+)`)); code != 1 || !strings.Contains(said, "not ready") {
		t.Errorf("exit code %d, says %q", code, said)
	}
	broker.kill()
	if code, said := ask(at); code != 1 || !strings.Contains(said, "nothing answers at "+at) {
		t.Errorf("exit code %d, says %q", code, said)
	}
}
