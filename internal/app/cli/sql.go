package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

type sqlCommand struct {
	operatorFlags
	Query string `arg:"" optional:"" help:"The statement. Default: read from standard input."`
}

// Help is shown under the command's flags.
func (c *sqlCommand) Help() string {
	return `Runs one statement in ClickHouse and prints its result: a line of
column names, then one line per row, separated by tabs.`
}

// Run runs a statement.
func (c *sqlCommand) Run(ctx context.Context, p process) error {
	query := c.Query
	if query == "" {
		text, err := io.ReadAll(p.stdin)
		if err != nil {
			return fmt.Errorf("the statement cannot be read: %w", err)
		}
		query = string(text)
	}
	if strings.TrimSpace(query) == "" {
		return &coded{errors.New("no statement given: pass one as an argument or on standard input"), exitUsage}
	}
	s, err := c.connectStore(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	out := bufio.NewWriter(p.stdout)
	err = s.db.SQL(ctx, query, func(values []any) error {
		cells := make([]string, len(values))
		for i, v := range values {
			cells[i] = printable(fmt.Sprint(v))
		}
		_, err := fmt.Fprintln(out, strings.Join(cells, "\t"))
		return err
	})
	if err != nil {
		err = fmt.Errorf("ClickHouse refuses this statement: %w", err)
	}
	return errors.Join(out.Flush(), err)
}

// connectStore opens a client of ClickHouse alone and waits until it answers.
func (f *operatorFlags) connectStore(ctx context.Context, log *slog.Logger) (*servers, error) {
	s, err := f.find(ctx, log)
	if err != nil {
		return nil, err
	}
	if err = f.openStore(s, log); err == nil {
		err = f.await(ctx, "ClickHouse at "+s.db.Addresses(), s.db.WaitReady)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}
