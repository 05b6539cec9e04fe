package embedded

import "golang.org/x/sys/unix"

// yieldBy is how much nicer than this process a server is that yields: with both
// cores wanted by both, it gets a quarter.
const yieldBy = 5

// yield gives the calling thread, and every process that it starts, less of the
// processor than it had. Where that fails, nothing is lost but the priority.
func yield() {
	if nice, err := niceness(); err == nil {
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, nice+yieldBy) // at most 19, by the kernel
	}
}

// niceness is the nice value of the calling thread, from -20 to 19.
func niceness() (int, error) {
	prio, err := unix.Getpriority(unix.PRIO_PROCESS, 0) // from 40 to 1, as results below 0 are errors
	return 20 - prio, err
}
