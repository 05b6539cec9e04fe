// Package memory finds out how much memory this process and its children may
// take together, and shares it out.
package memory

import (
	"os"
	"path"
	"strconv"
	"strings"
)

const (
	leastEngine = 1 << 30 // below which merges and inserts fail
	mostEngine  = 2 << 30
	ampleOwn    = 2 << 30 // of a process beside an engine: more only on a large machine
)

// Limit is how many bytes there are: the lowest limit of the control groups
// that the process is in, or what the machine has. It is 0 where neither is
// known.
func Limit() int64 { return limitIn("/") }

// Engine is how many bytes the embedded ClickHouse may take of limit; 0: it is
// not known.
func Engine(limit int64) int64 {
	if limit == 0 {
		return mostEngine
	}
	return min(max(limit/2, leastEngine), mostEngine)
}

// Process is how many bytes a process may take of limit: nine tenths, for not
// all of what it takes is Go's. Beside an engine they are nine tenths of the
// rest, and no more than 2 GiB or a quarter of a large machine. 0: any number.
func Process(limit int64, engine bool) int64 {
	switch {
	case !engine:
		return limit - limit/10
	case limit == 0:
		return ampleOwn
	}
	rest := max(limit-Engine(limit), limit/4)
	return min(rest-rest/10, max(ampleOwn, limit/4))
}

// limitIn is Limit with the files below root.
func limitIn(root string) int64 {
	lowest := ofMachine(path.Join(root, "proc/meminfo"))
	groups, _ := os.ReadFile(path.Join(root, "proc/self/cgroup")) // which only Linux has
	for line := range strings.Lines(string(groups)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		mount, file := path.Join(root, "sys/fs/cgroup"), "memory.max"
		if parts[1] != "" { // version 1
			if parts[1] != "memory" {
				continue
			}
			mount, file = path.Join(mount, "memory"), "memory.limit_in_bytes"
		}
		for group := path.Clean("/" + parts[2]); ; group = path.Dir(group) {
			if n := ofGroup(path.Join(mount, group, file)); n > 0 && (lowest == 0 || n < lowest) {
				lowest = n
			}
			if group == "/" { // a container's own group looks like the root
				break
			}
		}
	}
	return lowest
}

// ofGroup is a limit that a file holds; 0: none, which is "max" in version 2,
// and more than any machine has in version 1.
func ofGroup(file string) int64 {
	text, _ := os.ReadFile(file)
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// ofMachine is the memory that /proc/meminfo reports; 0: none.
func ofMachine(file string) int64 {
	text, _ := os.ReadFile(file)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "MemTotal:" {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			return n << 10
		}
	}
	return 0
}
