package chaos

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// String are the figures of a run in one line.
func (r *Result) String() string {
	f := &r.Figures
	n := 0
	for _, times := range r.Faults {
		n += times
	}
	return fmt.Sprintf("%d violations; %d faults, %d events (%d void), %d sessions, %d acts acked, %d unknown, %d messages, %d changes and %d reactions delivered, %d sanctions and %d removals, %d changes recovered, %d messages shown in the end, %d joins (%d recovered, %d not, %d degraded), %d pages; longest ghost %v, with broker and workers well %v; slowest delivery with workers down %v; drained in %v; MB and goroutines %v",
		len(r.Violations), n, f.Events, f.Void, f.Sessions, f.Acked, f.Unknown, f.Deliveries, f.Changes, f.Reactions, f.Sanctions, f.Removed, f.ChangesInPages, f.Changed, f.Joins, f.Recovered, f.Partial, f.Degraded, f.HistoryPages,
		round(f.LongestGhost), round(f.PlainGhost), round(r.Takeover), round(r.Drained), r.Usage)
}

// Quiet says what is missing in a run that proves little, however few violations
// it has.
func (r *Result) Quiet() (missing []string) {
	f := &r.Figures
	for _, c := range []struct {
		what string
		n    int
	}{{"acts acked", f.Acked}, {"messages delivered", f.Deliveries}, {"changes delivered", f.Changes}, {"reactions delivered", f.Reactions}, {"joins", f.Joins}, {"pages of history", f.HistoryPages}} {
		if c.n == 0 {
			missing = append(missing, "the run proves little: no "+c.what)
		}
	}
	return missing
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Millisecond) }

// Summary adds up runs. Not safe for concurrent use.
type Summary struct {
	runs, violations, faults, events, acked, delivered, recovered int
	usage                                                         map[string][2]Usage // of the last run
	ghost, plainGhost, takeover, drained                          time.Duration
	handovers                                                     Handovers // nil without any
}

// Add adds a run.
func (s *Summary) Add(r *Result) {
	s.runs++
	s.violations += len(r.Violations)
	for _, times := range r.Faults {
		s.faults += times
	}
	f := &r.Figures
	s.events += f.Events
	s.acked += f.Acked
	s.delivered += f.Deliveries
	s.recovered += f.Recovered
	s.ghost = max(s.ghost, f.LongestGhost)
	s.plainGhost = max(s.plainGhost, f.PlainGhost)
	s.takeover = max(s.takeover, r.Takeover)
	s.drained = max(s.drained, r.Drained)
	s.usage = r.Usage
	if r.Handovers != nil {
		if s.handovers == nil {
			s.handovers = Handovers{}
		}
		s.handovers.add(r.Handovers)
	}
}

// String are the figures of all runs in one line.
func (s *Summary) String() string {
	if s.handovers != nil {
		return fmt.Sprintf("%d runs, %d violations: %v; %d delivered", s.runs, s.violations, s.handovers, s.delivered)
	}
	return fmt.Sprintf("%d runs, %d violations: %d faults, %d events, %d chats acked, %d delivered, %d sessions recovered; longest ghost %v, with broker and workers well %v; slowest delivery with workers down %v; drained within %v; resident MB and goroutines, first and last third: %v",
		s.runs, s.violations, s.faults, s.events, s.acked, s.delivered, s.recovered, round(s.ghost), round(s.plainGhost), round(s.takeover), round(s.drained), s.usage)
}

// Commit is the commit of the source in the working folder.
func Commit() (string, error) {
	commit, err := exec.Command("git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("find the commit for the results: %w", err)
	}
	return strings.TrimSpace(string(commit)), nil
}

// AppendResult appends figures to a file of results, with the date, the
// command and the commit that the program was built from.
func AppendResult(file, command, commit, figures string) error {
	out, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("append the results: %w", err)
	}
	_, err = fmt.Fprintf(out, "| %s | `%s` | %s | %s |\n", time.Now().UTC().Format("2006-01-02 15:04"), command, commit, figures)
	return errors.Join(err, out.Close())
}
