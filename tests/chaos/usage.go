package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// usage watches what the processes take. It is safe for concurrent use.
type usage struct {
	sys      *system
	start    time.Time
	duration time.Duration

	mu      sync.Mutex
	samples []sample
}

type sample struct {
	at   time.Duration
	role string
	took Usage
}

// Usage is what a process takes.
type Usage struct {
	MB         int // resident
	Goroutines int // 0: not reported
}

// watch takes a sample of every process each second or so until the duration is
// over or ctx ends. Where the system does not report it, there are none.
func (u *usage) watch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, u.duration)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range u.sys.all() {
			mb, ok := residentMB(p.pid())
			if !ok {
				continue
			}
			took := Usage{MB: mb}
			if p.admin != "" {
				took.Goroutines = int(p.measures(ctx, "go_goroutine_count"))
			}
			u.mu.Lock()
			u.samples = append(u.samples, sample{time.Since(u.start), roleOf(p.name), took})
			u.mu.Unlock()
		}
	}
}

// thirds are the highest samples of each role in the first and the last third.
func (u *usage) thirds() map[string][2]Usage {
	u.mu.Lock()
	defer u.mu.Unlock()
	found := map[string][2]Usage{}
	for _, s := range u.samples {
		i := 0
		if s.at >= u.duration/3 {
			i = 1
		}
		if i == 1 && s.at < 2*u.duration/3 {
			continue
		}
		most := found[s.role]
		most[i] = Usage{max(most[i].MB, s.took.MB), max(most[i].Goroutines, s.took.Goroutines)}
		found[s.role] = most
	}
	return found
}

// residentMB is the resident memory of a process; false where the system does
// not report it.
func residentMB(pid int) (int, bool) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, false
	}
	_, rest, found := bytes.Cut(status, []byte("VmRSS:"))
	var kb int
	if _, err := fmt.Sscan(string(rest[:min(len(rest), 30)]), &kb); !found || err != nil {
		return 0, false
	}
	return kb >> 10, true
}
