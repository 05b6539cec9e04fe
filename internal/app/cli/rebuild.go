package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/projector"
)

// rebuildSays is how often a rebuild reports its progress.
const rebuildSays = 2 * time.Second

type rebuildCommand struct {
	operatorFlags
	DropOlder bool `help:"Build nothing; drop the tables of generations older than the current one."`
}

// Help is shown under the command's flags.
func (c *rebuildCommand) Help() string {
	return `Replays the log into new tables beside the current ones, while chat continues, and
makes them the current ones once they have caught up. Projectors and connectors
follow automatically. Rows that the log cannot give, such as those of earlier
epochs, are carried over. An interrupted rebuild continues where it stopped.

The old tables remain, to compare or to go back to; --drop-older drops them.`
}

// Run rebuilds the tables, or drops old ones.
func (c *rebuildCommand) Run(ctx context.Context, p process) error {
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	s, err := c.connect(ctx, log)
	if err != nil {
		return err
	}
	defer s.close()
	if c.DropOlder {
		return c.drop(ctx, s, p)
	}
	said := time.Now()
	g, err := projector.Rebuild(ctx, projector.Config{
		Base: roles.Base{Kafka: s.cluster, Logger: log}, ClickHouse: s.dsn,
	}, func(at projector.RebuildProgress) {
		if now := time.Now(); at.Done == at.Of || now.Sub(said) >= rebuildSays {
			said = now
			fmt.Fprintf(p.stderr, "generation %d: %d of %d offsets\n", at.Generation, at.Done, at.Of)
		}
	})
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted, and nothing is lost: the next `parley rebuild` continues here: %w", err)
		}
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "Generation %d is the current one. The tables of generation %d remain until `parley rebuild --drop-older`.\n", g, g-1)
	return err
}

func (c *rebuildCommand) drop(ctx context.Context, s *servers, p process) error {
	older, err := s.db.OlderGenerations(ctx)
	if err != nil {
		return fmt.Errorf("look for old tables: %w", err)
	}
	for _, g := range older {
		if err := s.db.DropGeneration(ctx, g); err != nil {
			return fmt.Errorf("drop the tables of generation %d: %w", g, err)
		}
		fmt.Fprintf(p.stdout, "The tables of generation %d are dropped.\n", g)
	}
	if len(older) == 0 {
		fmt.Fprintln(p.stdout, "There are no tables of older generations.")
	}
	return nil
}
