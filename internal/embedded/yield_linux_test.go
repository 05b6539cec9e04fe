package embedded_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/embedded"
)

// A server that yields does so with all of its threads, but those to which the
// engine gives another priority.
func TestClickHouseYields(t *testing.T) {
	needEngine(t)
	own, err := niceOf("/proc/thread-self/stat") // the first thread may have yielded, in another test
	if err != nil {
		t.Fatal(err)
	}
	for yields, want := range map[bool]int{true: min(own+5, 19), false: own} {
		c, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir(), Yield: yields})
		if err != nil {
			t.Fatal(err)
		}
		for thread, nice := range niceness(t, c.Pid()) {
			if nice != want && nice != -20 { // of a thread of the engine's own choice
				t.Errorf("yields %v: thread %s has the nice value %d, want %d", yields, thread, nice, want)
			}
		}
		if err := c.Stop(within(t)); err != nil {
			t.Error(err)
		}
	}
}

// niceness is the nice value of each thread of a process.
func niceness(t *testing.T, pid int) map[string]int {
	t.Helper()
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(stats) == 0 {
		t.Fatal("the process has no threads", err)
	}
	all := map[string]int{}
	for _, path := range stats {
		nice, err := niceOf(path)
		if err != nil {
			continue // it has ended
		}
		all[path] = nice
	}
	return all
}

// niceOf is the nice value in a stat file of /proc.
func niceOf(path string) (int, error) {
	stat, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return strconv.Atoi(strings.Fields(rest)[16])
}
