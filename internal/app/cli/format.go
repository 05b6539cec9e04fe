package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/parley-chat/parley/internal/ops/format"
)

type formatCommand struct {
	Show  formatShowCommand  `cmd:"" default:"withargs" help:"Show the format in force, and what this parley and the roles that run know."`
	Raise formatRaiseCommand `cmd:"" help:"Raise the format, when every role that runs knows it."`
}

type formatShowCommand struct {
	kafkaFlags
	JSON bool `name:"json" help:"Print as JSON."`
}

// Run shows the format.
func (c *formatShowCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	status, err := format.Inspect(ctx, s.kafka)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(p.stdout, status)
	}
	return c.print(p.stdout, &status)
}

func (c *formatShowCommand) print(w io.Writer, s *format.Status) error {
	fmt.Fprintf(w, "The log is in format %d. This parley knows formats up to %d.\n", s.Format, s.Known)
	if s.Raising > 0 {
		fmt.Fprintf(w, "A raise to format %d was started and is not complete: `parley format raise %d` completes it. Until then older roles do not start.\n", s.Raising, s.Raising)
	}
	if s.Unpublished {
		fmt.Fprintf(w, "The rule that connectors know it by is missing: `parley format raise %d` writes it again.\n", s.Format)
	}
	if len(s.Roles) == 0 {
		_, err := fmt.Fprintln(w, "No role runs.")
		return err
	}
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "ROLE\tAT\tNAME\tVERSION\tKNOWS UP TO")
	for _, r := range s.Roles {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\n", r.Kind, r.At, r.Name, cmp.Or(r.Version, "unknown"), r.Format)
	}
	return table.Flush()
}

type formatRaiseCommand struct {
	kafkaFlags
	Number count `arg:"" help:"The format to raise the log to."`
	Yes    bool  `help:"Do not ask."`
}

// Help is shown under the command's flags.
func (c *formatRaiseCommand) Help() string {
	return `The format is the number that governs what the log means. A new version of
parley keeps to the log's format until an operator raises it, so versions can run
side by side. Once it is raised, versions that do not know it refuse to start,
and there is no way back: wait until you are sure of the new version.

It refuses while a role runs that does not know the format. When it is
interrupted, run it again.`
}

// Run explains what a raise means, asks, and raises the format.
func (c *formatRaiseCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	number := int32(c.Number)
	if err := format.Check(ctx, s.kafka, number); err != nil {
		return err
	}
	if !c.Yes {
		fmt.Fprintf(p.stdout, "This raises the log to format %d, for good: versions of parley that do not know it will no longer run on it.\n", number)
		if !confirmed(p) {
			return errors.New("nothing was changed: the raise was not confirmed")
		}
	}
	done, err := format.Raise(ctx, s.kafka, number)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("interrupted: `parley format raise %d` completes it: %w", number, err)
	case err != nil:
		return err
	case done.Already && done.Published:
		_, err = fmt.Fprintf(p.stdout, "The log is in format %d already. The rule that connectors know it by was missing, and is there again.\n", number)
	case done.Already:
		_, err = fmt.Fprintf(p.stdout, "The log is in format %d already.\n", number)
	default:
		_, err = fmt.Fprintf(p.stdout, "The log is in format %d.\n", number)
	}
	return err
}

// printJSON prints a value for scripts.
func printJSON(w io.Writer, v any) error {
	out := json.NewEncoder(w)
	out.SetIndent("", "  ")
	return out.Encode(v)
}
