//go:build unix

package embedded

import "golang.org/x/sys/unix"

// yieldBy is how much nicer than this process a server is that yields: with both
// cores wanted by both, it gets a quarter.
const yieldBy = 5

// yield gives the calling thread, and every process that it starts, less of the
// processor than others get. Where that fails, nothing is lost but the priority.
func yield() {
	_ = unix.Setpriority(unix.PRIO_PROCESS, 0, yieldBy)
}
