package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/parley-chat/parley/internal/ops/doctor"
	"github.com/parley-chat/parley/internal/ops/topics"
)

type topicsCommand struct {
	Show   topicsShowCommand   `cmd:"" default:"withargs" help:"Show every partition: its leader and replicas, what it holds, and who lags."`
	Create topicsCreateCommand `cmd:"" help:"Create the topics that are missing, as the roles would."`
	Check  topicsCheckCommand  `cmd:"" help:"Report where the topics differ from what is needed."`
}

type topicsShowCommand struct {
	operatorFlags
	JSON bool `name:"json" help:"Print as JSON."`
}

// Help is shown under the command's flags.
func (c *topicsShowCommand) Help() string {
	return `LAG is how many offsets the chat workers have not committed: they do with every
checkpoint, so a few seconds' worth is normal. BEHIND is how many are not in
ClickHouse yet. "-" is unknown.`
}

// Run shows the partitions.
func (c *topicsShowCommand) Run(ctx context.Context, p process) error {
	s, err := c.connectWithoutStore(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	if s.away != nil {
		fmt.Fprintf(p.stderr, "parley: the lag of the projectors is unknown: %v\n", s.away)
	}
	all, err := topics.Describe(ctx, s.kafka, s.db)
	if err != nil {
		return err
	}
	if c.JSON {
		if all == nil {
			all = []topics.Partition{}
		}
		return printJSON(p.stdout, all)
	}
	if len(all) == 0 {
		_, err := fmt.Fprintln(p.stdout, "Parley's topics do not exist: the first role that starts creates them, or `parley topics create`.")
		return err
	}
	return c.print(p.stdout, all)
}

func (c *topicsShowCommand) print(w io.Writer, all []topics.Partition) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "TOPIC\tPARTITION\tLEADER\tREPLICAS\tIN SYNC\tFIRST\tEND\tLAG\tBEHIND")
	for i := range all {
		p := &all[i]
		var lags []string
		for _, group := range slices.Sorted(maps.Keys(p.Lags)) {
			lag := number(p.Lags[group])
			if len(p.Lags) > 1 {
				lag = group + "=" + lag
			}
			lags = append(lags, lag)
		}
		behind := ""
		if p.Behind != nil {
			behind = number(*p.Behind)
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%d\t%d\t%s\t%s\n", p.Topic, p.ID, number(int64(p.Leader)),
			list(p.Replicas), list(p.InSync), p.First, p.End, strings.Join(lags, " "), behind)
	}
	return table.Flush()
}

// number prints what is unknown, below 0, as "-".
func number(n int64) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

func list(ids []int32) string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(ids), " ", ","), "[]")
}

type topicsCreateCommand struct {
	kafkaFlags
	Partitions  count `default:"0" placeholder:"N" help:"Partitions of a log that does not exist yet. Default: 12."`
	Replication count `default:"0" placeholder:"N" help:"Replication factor. Default: the brokers' own."`
}

// Help is shown under the command's flags.
func (c *topicsCreateCommand) Help() string {
	return `For clusters on which the roles may not create topics. They are created as the
roles would; existing ones are left as they are. The markers with which
the partitions of parley.events begin are not written: the first role that starts
does that, because they name the format of its version.`
}

// Run creates what is missing.
func (c *topicsCreateCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return err
	}
	defer s.close()
	created, err := topics.Create(ctx, s.kafka, int(c.Partitions), int(c.Replication))
	if err != nil {
		return err
	}
	for _, name := range created {
		fmt.Fprintf(p.stdout, "Topic %s was created.\n", name)
	}
	if len(created) == 0 {
		fmt.Fprintln(p.stdout, "All topics exist.")
	}
	return nil
}

type topicsCheckCommand struct {
	kafkaFlags
	findings
}

// Help is shown under the command's flags.
func (c *topicsCheckCommand) Help() string {
	return `The part of "parley doctor" that is about topics. ` + findingsHelp
}

// Run checks the topics.
func (c *topicsCheckCommand) Run(ctx context.Context, p process) error {
	s, err := c.connect(ctx, quiet(p.stderr))
	if err != nil {
		return &coded{err, exitUnchecked}
	}
	defer s.close()
	report, err := doctor.Topics(ctx, doctor.Config{Kafka: s.kafka})
	if err != nil {
		return &coded{err, exitUnchecked}
	}
	return c.tell(p.stdout, &report)
}
