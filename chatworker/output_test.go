package chatworker

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
)

// logger shows what is logged when the test fails.
func (r *rig) logger() *slog.Logger {
	out := &testOutput{t: r.t, r: r}
	r.t.Cleanup(out.end)
	return slog.New(slog.NewTextHandler(out, nil))
}

type testOutput struct {
	mu sync.Mutex
	t  testing.TB
	r  *rig
}

func (o *testOutput) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.t != nil {
		o.t.Log(strings.TrimSpace(string(b)))
		o.r.mu.Lock()
		o.r.logged = append(o.r.logged, string(b))
		o.r.mu.Unlock()
	}
	return len(b), nil
}

func (o *testOutput) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.t = nil
}

// logs returns the lines logged so far that have every part.
func (r *rig) logs(parts ...string) (found []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, line := range r.logged {
		if !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(line, part) }) {
			found = append(found, line)
		}
	}
	return found
}
