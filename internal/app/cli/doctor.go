package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/rules"
)

// findings are how a command prints what a doctor found.
type findings struct {
	JSON   bool `name:"json" help:"Print as JSON."`
	Strict bool `help:"Let warnings count as errors."`
}

const findingsHelp = `One line for each
finding, with its severity, what it means and how to fix it: an error means that a
guarantee does not hold or something does not work, a warning that it will not
when something else happens, a note that something could not be checked.

Exit codes: 0 no error, 1 an error, 2 wrong flags, 3 Kafka does not
answer.`

// tell prints a report and turns it into the exit code.
func (f *findings) tell(w io.Writer, r *doctor.Report) error {
	bad, warnings := r.Worst()
	if f.JSON {
		if err := printJSON(w, r); err != nil {
			return err
		}
	} else {
		for _, found := range r.Findings {
			fmt.Fprintln(w, found)
		}
		if running := r.Running(); running != "" {
			fmt.Fprintf(w, "running: %s\n", running)
		}
		if r.Format != nil {
			fmt.Fprintf(w, "format of the log: %v\n", r.Format)
		}
		if r.Rules != nil {
			fmt.Fprintf(w, "rules about users: %d of %d\n", *r.Rules, rules.MaxRecords)
		}
		fmt.Fprintf(w, "checked: %s; %d errors, %d warnings\n", strings.Join(r.Checked, ", "), bad, warnings)
	}
	if bad > 0 || f.Strict && warnings > 0 {
		return &coded{fmt.Errorf("there are %d errors and %d warnings", bad, warnings), exitFailure}
	}
	return nil
}

type doctorCommand struct {
	operatorFlags
	findings
}

// Help is shown under the command's flags.
func (c *doctorCommand) Help() string {
	return `Checks settings and state of Kafka and ClickHouse, and the roles that run, against
what the guarantees need. It only reads, and watches for 3 s whether time
advances. ` + findingsHelp
}

// Run checks everything and prints what is wrong.
func (c *doctorCommand) Run(ctx context.Context, p process) error {
	s, err := c.connectWithoutStore(ctx, quiet(p.stderr))
	if err != nil {
		return &coded{err, exitUnchecked}
	}
	defer s.close()
	report, err := doctor.Run(ctx, doctor.Config{Kafka: s.kafka, DB: s.db, Away: s.away})
	if err != nil {
		return &coded{err, exitUnchecked}
	}
	return c.tell(p.stdout, &report)
}
