package memory

import (
	"os"
	"path/filepath"
	"testing"
)

// The lowest limit of the groups around the process counts, in both versions
// of control groups, or the machine's memory where that is less.
func TestLimitIsTheLowest(t *testing.T) {
	const machine = "MemFree:        1 kB\nMemTotal:       8388608 kB\n"
	for name, c := range map[string]struct {
		groups, machine string
		files           map[string]string
		want            int64
	}{
		"none":             {"0::/\n", machine, map[string]string{"memory.max": "max\n"}, 8 << 30},
		"a container":      {"0::/\n", machine, map[string]string{"memory.max": "1073741824\n"}, 1 << 30},
		"around it":        {"0::/a/b\n", machine, map[string]string{"a/memory.max": "1000\n", "a/b/memory.max": "max\n"}, 1000},
		"the lower":        {"0::/a/b\n", machine, map[string]string{"a/memory.max": "1000\n", "a/b/memory.max": "10\n"}, 10},
		"version 1":        {"5:cpu:/x\n4:memory:/x\n", machine, map[string]string{"memory/x/memory.limit_in_bytes": "2000\n"}, 2000},
		"1, unlimited":     {"4:memory:/\n", machine, map[string]string{"memory/memory.limit_in_bytes": "9223372036854771712\n"}, 8 << 30},
		"more than it has": {"0::/\n", machine, map[string]string{"memory.max": "17179869184\n"}, 8 << 30},
		"a group alone":    {"0::/\n", "", map[string]string{"memory.max": "1000\n"}, 1000},
		"unreadable":       {"what\n", "MemTotal: much\n", nil, 0},
	} {
		root := t.TempDir()
		write := func(file, text string) {
			file = filepath.Join(root, file)
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("proc/self/cgroup", c.groups)
		write("proc/meminfo", c.machine)
		for file, text := range c.files {
			write(filepath.Join("sys/fs/cgroup", file), text)
		}
		if got := limitIn(root); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	if got := limitIn(t.TempDir()); got != 0 {
		t.Errorf("without files: %d", got)
	}
}

// What process and engine take together is within the limit from 2 GiB on, and
// 4 GiB where it is known that there is as much and no more than twice that.
func TestSharesAreWithinTheLimit(t *testing.T) {
	const gib = 1 << 30
	for limit := int64(2 * gib); limit <= 64*gib; limit += gib / 4 {
		if both := Engine(limit) + Process(limit, true); both > limit-limit/40 {
			t.Errorf("of %d bytes both take %d", limit, both)
		}
		if own := Process(limit, false); own > limit-limit/10 || own < limit*8/10 {
			t.Errorf("of %d bytes a process takes %d", limit, own)
		}
	}
	for limit, want := range map[int64]int64{0: 4 * gib, 5 * gib: 4 * gib, 8 * gib: 4 * gib, 24 * gib: 8 * gib} {
		if both := Engine(limit) + Process(limit, true); both != want {
			t.Errorf("of %d bytes both take %d, want %d", limit, both, want)
		}
	}
}
