package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/embedded"
)

// A request of a web page would end the engine: it listens where no page can find
// it, each life elsewhere. What clients know is the gate's address.
func TestEngineListensWhereNoPageLooks(t *testing.T) {
	needEngine(t)
	c := startWith(t, embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	defer stopClickHouse(t, c)
	at := listening(t, c.Pid())
	if len(at) == 0 {
		t.Fatal("the engine listens nowhere")
	}
	for _, address := range at {
		if !strings.HasSuffix(address, "7F") || address == "0100007F" {
			t.Errorf("the engine listens at %s", address)
		}
	}
}

// listening are the IPv4 addresses at which a process listens, as the kernel
// writes them.
func listening(t *testing.T, pid int) (all []string) {
	t.Helper()
	sockets := map[string]bool{}
	open, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range open {
		if to, err := os.Readlink(fd); err == nil {
			sockets[strings.TrimSuffix(strings.TrimPrefix(to, "socket:["), "]")] = true
		}
	}
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 9 && f[3] == "0A" && sockets[f[9]] {
			address, _, _ := strings.Cut(f[1], ":")
			all = append(all, address)
		}
	}
	return all
}
