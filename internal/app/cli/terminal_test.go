package cli_test

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A service continues when its log's reader is gone and its terminal hangs up, and
// still stops in order.
func TestServiceOutlivesItsTerminal(t *testing.T) {
	cmd := exec.Command(os.Args[0], "broker", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--log-level", "debug")
	cmd.Env = append(os.Environ(), programEnv+"=1")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = writer, writer
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	writer.Close()
	lines := bufio.NewScanner(reader)
	for lines.Scan() && !strings.Contains(lines.Text(), "health is served") {
	}
	reader.Close()
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGHUP, syscall.SIGTERM} { // the last one is logged
		select {
		case err := <-ended:
			t.Fatalf("it ended before %v: %v", s, err)
		case <-time.After(200 * time.Millisecond):
		}
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("it did not stop in order: %v", err)
		}
	case <-time.After(patience):
		_ = cmd.Process.Kill()
		t.Error("it does not stop")
	}
}
