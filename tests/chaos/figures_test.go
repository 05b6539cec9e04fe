package chaos

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/tests/checker"
)

// A run in which nothing was delivered has no violations, and proves nothing.
func TestQuietRunsAreTold(t *testing.T) {
	var r Result
	r.Figures = checker.Figures{Acked: 1, Deliveries: 1, Changes: 1, Reactions: 1, Joins: 1, HistoryPages: 1}
	if what := r.Quiet(); len(what) > 0 {
		t.Errorf("a run counts as quiet: %s", what)
	}
	r.Figures.Deliveries = 0
	if what := r.Quiet(); len(what) != 1 || !strings.Contains(what[0], "no messages delivered") {
		t.Errorf("what is missing is %q", what)
	}
}

func TestHandoverThatWasNotMeasured(t *testing.T) {
	s := Handovers{workerLeaves: time.Second}.String()
	if !strings.Contains(s, "leave 1s") || !strings.Contains(s, "kill not measured") {
		t.Error(s)
	}
}
