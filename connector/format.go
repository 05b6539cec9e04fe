package connector

import (
	"sync/atomic"

	"github.com/parley-chat/parley/schema"
)

// formats are the formats that pushes say are in force, by partition. A raise
// reaches one partition after the other, and an event of a format that its
// partition has not reached stops every reader of it. Safe for concurrent use.
type formats []atomic.Int32

// note takes what a push says of its partition. A format is never lowered, and
// one goroutine calls this.
func (f formats) note(p *schema.Push) {
	if i := int(p.Partition); i >= 0 && i < len(f) && f[i].Load() < p.Format {
		f[i].Store(p.Format)
	}
}

// format is the one in force for a channel as far as the connector knows: from
// the marker with which the log begins, from pushes, or from parley.rules, which
// tells of a raise where there are no pushes. Events of a newer one must not be
// published yet.
func (inc *incarnation) format(channel string) int32 {
	known := max(inc.log.Format, 1)
	if known < schema.NewestFormat {
		known = max(known, inc.formats[schema.PartitionOf(channel, inc.log.Partitions)].Load())
	}
	if known < schema.NewestFormat {
		known = max(known, inc.rules.table.Format(inc.log.Epoch))
	}
	return known
}

// noteFormat logs that clients cannot use what came with newer formats yet. The
// rules have been read.
func (inc *incarnation) noteFormat() {
	known := max(inc.log.Format, inc.rules.table.Format(inc.log.Epoch), 1)
	if known < schema.NewestFormat {
		inc.logger.Info("the log is in an older format: requests that came with a newer one are refused until an operator raises it with `parley format raise`", "format", known, "newest", schema.NewestFormat)
	}
}

// reasonFor is why a session's membership of a channel ends by force, as the log
// can say it: before format 2 it knows no reason but disconnect for that.
func (inc *incarnation) reasonFor(channel string, reason schema.Reason) schema.Reason {
	if reason > schema.Reason_REASON_TIMEOUT && inc.format(channel) < 2 {
		return schema.Reason_REASON_DISCONNECT
	}
	return reason
}
