package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// memory is what the process and the engine beside it take, or may take.
type memory struct{ process, engine int64 }

var stated = regexp.MustCompile(`memory is bounded, in bytes" there_is=\d+ process=(\d+) clickhouse=(\d+)`)

// statedBounds are the bounds that the process logged.
func (b *bench) statedBounds() (memory, error) {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return memory{}, err
	}
	found := stated.FindSubmatch(text)
	if found == nil {
		return memory{}, errors.New("the log says nothing of bounds of memory")
	}
	process, _ := strconv.ParseInt(string(found[1]), 10, 64)
	engine, _ := strconv.ParseInt(string(found[2]), 10, 64)
	return memory{process, engine}, nil
}

// sampleEvery is how often memory is sampled: the peak that the kernel records
// counts pages of files, too.
const sampleEvery = 50 * time.Millisecond

// watchMemory returns the most memory that was taken while do ran.
func (b *bench) watchMemory(do func()) (peak memory) {
	done := make(chan struct{})
	go func() { do(); close(done) }()
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		peak.process = max(peak.process, anonymous(b.pid))
		var engine int64
		for _, pid := range children(b.pid) {
			engine += anonymous(pid)
			for _, grandchild := range children(pid) {
				engine += anonymous(grandchild)
			}
		}
		peak.engine = max(peak.engine, engine)
		select {
		case <-done:
			return peak
		case <-ticker.C:
		}
	}
}

// anonymous is the memory of a process that is not backed by a file, in bytes.
func anonymous(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid)) // it may have ended
	_, rest, _ := strings.Cut(string(status), "RssAnon:")
	var kib int64
	_, _ = fmt.Sscan(rest, &kib)
	return kib << 10
}

// children are the processes that a process has started.
func children(pid int) (pids []int) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for _, c := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(c); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}
