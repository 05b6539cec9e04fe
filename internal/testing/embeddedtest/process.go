package embeddedtest

import (
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// EngineOf returns the process id of the ClickHouse child of a process, or 0
// when it has none.
func EngineOf(tb testing.TB, parent int) int {
	tb.Helper()
	for _, p := range processes(tb) {
		if p.parent == parent && p.engine {
			return p.pid
		}
	}
	return 0
}

// Running reports whether a process runs.
func Running(tb testing.TB, pid int) bool {
	tb.Helper()
	for _, p := range processes(tb) {
		if p.pid == pid {
			return true
		}
	}
	return false
}

type process struct {
	pid, parent int
	engine      bool
}

// processes lists what runs; those that have ended and only await their
// parent's notice are left out.
func processes(tb testing.TB) []process {
	tb.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=,ppid=,stat=,args=").Output()
	if err != nil {
		tb.Fatalf("ps: %v", err)
	}
	var all []process
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) < 4 || strings.HasPrefix(f[2], "Z") {
			continue
		}
		pid, err := strconv.Atoi(f[0])
		if err != nil {
			tb.Fatalf("ps says %q: %v", line, err)
		}
		parent, err := strconv.Atoi(f[1])
		if err != nil {
			tb.Fatalf("ps says %q: %v", line, err)
		}
		all = append(all, process{pid, parent, strings.Contains(line, "clickhouse-engine")})
	}
	return all
}
