package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/parley-chat/parley/internal/ops/epoch"
)

type epochCommand struct {
	New epochNewCommand `cmd:"" help:"Begin a new epoch of the log: the way out when the log was replaced."`
}

type epochNewCommand struct {
	operatorFlags
	Yes         bool  `help:"Do not ask."`
	Recreate    bool  `help:"Delete the log even where it could become the new epoch as it is."`
	Partitions  count `default:"0" placeholder:"N" help:"Partitions of a log that is recreated. Default: as many as before."`
	Replication count `default:"0" placeholder:"N" help:"Replication factor of topics that are recreated. Default: as before."`
}

// Help is shown under the command's flags.
func (c *epochNewCommand) Help() string {
	return `Positions count within an epoch, one incarnation of the log. When the log is no
longer the one that history and state were derived from (its topic was
recreated or cut, it lost its end, its partition count is another), every role
refuses to run. Restoring the topic fixes that; this command is the other way
out. Chat starts again with nobody in any channel; what ClickHouse holds stays
readable. All roles must be stopped.`
}

// Run explains what a new epoch means, asks, and begins one.
func (c *epochNewCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	living, err := epoch.Living(ctx, s.kafka, epoch.Watch)
	if err != nil {
		return err
	}
	if len(living) > 0 {
		return fmt.Errorf("a new epoch needs all roles stopped, and these run: %s; stop them (one that was killed counts for some 10 s) and try again", strings.Join(living, ", "))
	}
	plan, err := epoch.MakePlan(ctx, s.kafka, s.db, epoch.Options{
		Recreate: c.Recreate, Partitions: int(c.Partitions), Replication: int(c.Replication),
	})
	if err != nil {
		return err
	}
	if plan.Done {
		_, err = fmt.Fprintf(p.stdout, "Epoch %s has already begun, and nothing was published in it: nothing was changed. Start the roles, or begin another one with --recreate.\n", plan.Found)
		return err
	}
	explain(p.stdout, plan)
	if !c.Yes && !confirmed(p) {
		return errors.New("nothing was changed: a new epoch was not confirmed")
	}
	log, err := epoch.Begin(ctx, s.kafka, s.db, plan)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Epoch %s has begun, with %d partitions. Start the roles.\n", log.Epoch, log.Partitions)
	return err
}

// explain prints what a plan means.
func explain(w io.Writer, p epoch.Plan) {
	old := "the epoch before"
	if p.Old != "" {
		old = "epoch " + p.Old
	}
	fmt.Fprintf(w, "This ends %s and begins a new one:\n", old)
	if p.Keep {
		fmt.Fprintf(w, "  - the log stays and becomes the new epoch, %s: %s;\n", p.Found, p.Why)
	} else {
		fmt.Fprintf(w, "  - topic parley.events is DELETED, if it exists, and recreated with %d partitions, because %s;\n", p.Partitions, p.Why)
		if p.Lost > 0 {
			fmt.Fprintf(w, "  - %d of its offsets are not in ClickHouse and will be LOST: to keep them, let a projector catch up first;\n", p.Lost)
		}
	}
	fmt.Fprint(w, `  - parley.state, parley.push and parley.control are deleted, and recreated;
    parley.rules stays;
  - nobody is in any channel until clients join again; they are told that what they
    missed cannot be replayed, and read it as history;
  - what ClickHouse holds of earlier epochs stays and can be read.
`)
}

// confirmed asks for a yes.
func confirmed(p process) bool {
	fmt.Fprint(p.stdout, `Type "yes" to continue: `)
	line, err := bufio.NewReader(p.stdin).ReadString('\n')
	if err != nil {
		fmt.Fprintln(p.stdout)
	}
	return strings.TrimSpace(line) == "yes"
}
