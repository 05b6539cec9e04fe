package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/parley-chat/parley/internal/ops/verify"
)

// exitUnchecked means that the question could not be answered.
const exitUnchecked = 3

type verifyCommand struct {
	operatorFlags
	JSON bool  `name:"json" help:"Print the report as JSON."`
	Keep count `default:"100" placeholder:"N" help:"List at most this many differences; all are counted. Default: ${default}."`
}

// Help is shown under the command's flags.
func (c *verifyCommand) Help() string {
	return `Compares the log, the chat workers' checkpoints and ClickHouse with each other,
and says where they differ. It only reads, and may run while everything runs.

Exit codes: 0 all are equal, 1 something differs, 2 wrong flags, 3 it could not be checked.`
}

// Run verifies once and prints the report.
func (c *verifyCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return &coded{err, exitUnchecked}
	}
	defer s.close()
	report, err := verify.Run(ctx, verify.Config{Kafka: s.kafka, DB: s.db, Keep: int(c.Keep), Progress: func(at verify.Progress) {
		fmt.Fprintf(p.stderr, "partition %d of %d: offset %d of %d\n", at.Partition+1, at.Partitions, at.Offset, at.End)
	}})
	if printed := c.print(p.stdout, &report); err == nil {
		err = printed
	}
	if err != nil {
		return &coded{fmt.Errorf("not everything could be checked: %w", err), exitUnchecked}
	}
	return verdict(&report)
}

func (c *verifyCommand) print(w io.Writer, r *verify.Report) error {
	if c.JSON {
		out := json.NewEncoder(w)
		out.SetIndent("", "  ")
		return out.Encode(r)
	}
	for _, d := range r.Differences {
		fmt.Fprintln(w, d)
	}
	if more := r.Found - int64(len(r.Differences)); more > 0 {
		fmt.Fprintf(w, "and %d more\n", more)
	}
	for _, u := range r.Unsettled {
		fmt.Fprintln(w, "not settled:", u)
	}
	if r.Epoch == "" {
		return nil // nothing was compared
	}
	_, err := fmt.Fprintf(w, "epoch %s, generation %d, %d partitions: %d events, %d rows and %d memberships compared, %d differences; ClickHouse is %d offsets behind\n",
		r.Epoch, r.Generation, r.Partitions, r.Events, r.Rows, r.Members, r.Found, r.Behind)
	return err
}

// verdict turns a report into the command's exit code.
func verdict(r *verify.Report) error {
	switch {
	case r.Found > 0:
		return &coded{fmt.Errorf("there are %d differences", r.Found), exitFailure}
	case len(r.Unsettled) > 0:
		return &coded{fmt.Errorf("%d things could not be settled", len(r.Unsettled)), exitUnchecked}
	}
	return nil
}
