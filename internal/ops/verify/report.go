package verify

import (
	"fmt"
	"strings"
)

// Where a difference was found.
const (
	PlaceEpoch      = "epoch"
	PlaceLog        = "log"
	PlaceHistory    = "history"
	PlaceCheckpoint = "checkpoint"
)

// None is used for a partition or an offset that a difference does not have.
const None = -1

// Difference is one fact on which two places disagree.
type Difference struct {
	// Place is the one that disagrees with the log.
	Place string `json:"place"`
	// Partition of parley.events and Offset in it; None where there is
	// no single one.
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
	Channel   string `json:"channel,omitempty"`
	// What is different, in words, without contents of messages.
	What string `json:"what"`
}

// String is the difference as one line.
func (d Difference) String() string {
	var b strings.Builder
	b.WriteString(d.Place)
	if d.Partition != None {
		fmt.Fprintf(&b, ", partition %d", d.Partition)
	}
	if d.Offset != None {
		fmt.Fprintf(&b, ", offset %d", d.Offset)
	}
	if d.Channel != "" {
		fmt.Fprintf(&b, ", channel %q", d.Channel)
	}
	return b.String() + ": " + d.What
}

// Report is what a verification found.
type Report struct {
	Epoch      string `json:"epoch"`
	Generation uint32 `json:"generation"`
	Partitions int    `json:"partitions"`
	// Events of the log that were read, rows of ClickHouse and memberships of
	// checkpoints that were compared with them.
	Events  int64 `json:"events"`
	Rows    int64 `json:"rows"`
	Members int64 `json:"members"`
	// Behind is how many offsets ClickHouse's watermarks were behind the log.
	// That is not a difference.
	Behind int64 `json:"behind"`
	// Found is the number of differences; Differences are the first ones.
	Found       int64        `json:"found"`
	Differences []Difference `json:"differences"`
	// Unsettled is what could not be judged, such as a checkpoint that was torn
	// by a crash and not yet rewritten.
	Unsettled []string `json:"unsettled"`
}

// Equal reports whether everything was compared and nothing differs.
func (r *Report) Equal() bool { return r.Found == 0 && len(r.Unsettled) == 0 }

// collector gathers differences up to a bound, and counts them all.
type collector struct {
	report *Report
	keep   int
}

func (c *collector) differ(place string, partition int, offset int64, channel, format string, args ...any) {
	c.report.Found++
	if len(c.report.Differences) < c.keep {
		c.report.Differences = append(c.report.Differences, Difference{place, partition, offset, channel, fmt.Sprintf(format, args...)})
	}
}

func (c *collector) unsettled(format string, args ...any) {
	if len(c.report.Unsettled) < c.keep {
		c.report.Unsettled = append(c.report.Unsettled, fmt.Sprintf(format, args...))
	}
}
