package chaos

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/parley-chat/parley/tests/checker"
)

// What is done to a worker in a run of handovers.
const (
	workerLeaves = "leave" // it is stopped in order
	workerJoins  = "join"  // it is started
	workerDies   = "kill"
)

// handoverLasts is how long the effects of a handover are waited for: longer
// than a session time-out, and the rebalance that follows each change of the
// members.
const handoverLasts = 12 * time.Second

// handOver stops a worker, starts it, kills it and starts it again, in turns
// over all workers, until ctx ends. Nothing else is done meanwhile.
func (f *faults) handOver(ctx context.Context) error {
	for {
		for _, p := range f.sys.named("chatworker") {
			steps := []struct {
				what string
				do   func() error
			}{
				{workerLeaves, func() error { return p.stop(stopPatience) }},
				{workerJoins, p.start},
				{workerDies, func() error { p.kill(); return nil }},
				{workerJoins, p.start},
			}
			for _, step := range steps {
				if ctx.Err() != nil {
					return nil
				}
				over := f.rec.fault(p.name, step.what)
				if err := step.do(); err != nil {
					return err
				}
				time.Sleep(handoverLasts)
				over()
				f.done[step.what]++
			}
		}
	}
}

// Handovers are the slowest deliveries by what was done to a worker meanwhile.
type Handovers map[string]time.Duration

// handovers finds them in a recording.
func handovers(in *checker.Input) Handovers {
	slowest := Handovers{}
	for i := range in.Entries {
		f := &in.Entries[i]
		if f.Op != checker.Fault {
			continue
		}
		for j := range in.Entries {
			e := &in.Entries[j]
			if e.Op != checker.PushChat {
				continue
			}
			said := time.UnixMilli(e.Message.Time).Sub(in.Start)
			if said >= f.At-time.Second && said < f.Until {
				slowest[f.What] = max(slowest[f.What], e.At-said)
			}
		}
	}
	return slowest
}

// add keeps the slower ones.
func (h Handovers) add(other Handovers) {
	for what, took := range other {
		h[what] = max(h[what], took)
	}
}

// String is what an operator wants to know of them.
func (h Handovers) String() string {
	var parts []string
	for _, what := range []string{workerLeaves, workerJoins, workerDies} {
		took, known := h[what]
		if !known {
			parts = append(parts, what+" not measured")
			continue
		}
		parts = append(parts, fmt.Sprintf("%s %v", what, round(took)))
	}
	return "slowest delivery when a worker does " + strings.Join(parts, ", ")
}
