package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"sync"
	"time"
)

// memory watches what the processes have resident. It is safe for concurrent
// use.
type memory struct {
	sys      *system
	start    time.Time
	duration time.Duration

	mu      sync.Mutex
	samples []sample
}

type sample struct {
	at   time.Duration
	role string
	mb   int
}

// watch takes a sample of every process each second until the duration is
// over or ctx ends. Where the system does not tell, there are none.
func (m *memory) watch(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, m.duration)
	defer cancel()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range m.sys.all() {
			if mb, ok := residentMB(p.pid()); ok {
				m.mu.Lock()
				m.samples = append(m.samples, sample{time.Since(m.start), roleOf(p.name), mb})
				m.mu.Unlock()
			}
		}
	}
}

// thirds are the highest samples of each role in the first and the last third.
func (m *memory) thirds() map[string][2]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string][2]int{}
	for _, s := range m.samples {
		i := 0
		if s.at >= m.duration/3 {
			i = 1
		}
		if i == 1 && s.at < 2*m.duration/3 {
			continue
		}
		most := found[s.role]
		most[i] = max(most[i], s.mb)
		found[s.role] = most
	}
	return found
}

// residentMB is the resident memory of a process; false where the system does
// not tell.
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
