package verify

import (
	"math"
	"strings"

	"github.com/parley-chat/parley/schema"
)

// row is an event as ClickHouse holds it.
type row struct {
	channel   string
	seq       int64
	kind      string
	user, to  string
	id, body  string
	session   string
	connector string
	time      int64 // milliseconds
	reason    string
	void      uint8
	trace     string
	version   int32
	more      more
}

// latest is the last millisecond that a column of nanoseconds in 64 bits holds;
// the time of an event is for people, and cut to what the table can show.
const latest = math.MaxInt64 / 1_000_000

// expectedRow is the row that an event should have; false for one that is about
// the log itself. It is written separately from the projector's own function,
// so that a mistake in one of them shows.
func expectedRow(offset int64, e *schema.Event, void bool, format int32) (row, bool) {
	r := row{seq: offset, channel: e.Channel(), connector: e.Connector, version: format}
	r.time = min(max(e.Time, 0), latest)
	if void {
		r.void = 1
	}
	switch k := e.Kind.(type) {
	case *schema.Event_Join:
		r.kind, r.session, r.user = "join", k.Join.Session, k.Join.User
	case *schema.Event_Leave:
		r.kind, r.session, r.user, r.reason = "leave", k.Leave.Session, k.Leave.User, k.Leave.Reason.Name()
	case *schema.Event_Down:
		r.kind, r.connector, r.reason = "down", k.Down.Connector, k.Down.Reason.Name()
	case *schema.Event_Chat:
		r.kind, r.session, r.user, r.to = "chat", k.Chat.Session, k.Chat.User, k.Chat.To
		r.id, r.body, r.trace = k.Chat.Id, k.Chat.Body, k.Chat.Trace
	}
	return r, r.richer(e) || r.kind != ""
}

// differing names the columns in which two rows differ; "" when they are equal.
func (r *row) differing(o *row) string {
	var names []string
	for _, c := range []struct {
		name  string
		equal bool
	}{
		{"channel", r.channel == o.channel}, {"kind", r.kind == o.kind}, {"user", r.user == o.user},
		{"to", r.to == o.to}, {"id", r.id == o.id}, {"body", r.body == o.body}, {"session", r.session == o.session},
		{"connector", r.connector == o.connector}, {"time", r.time == o.time}, {"reason", r.reason == o.reason},
		{"void", r.void == o.void}, {"trace", r.trace == o.trace}, {"version", r.version == o.version},
	} {
		if !c.equal {
			names = append(names, c.name)
		}
	}
	return strings.Join(append(names, r.more.differing(&o.more)...), ", ")
}

// rowSource yields the rows of a partition by ascending seq and, among those of
// one seq, the newest version first. It ends with false.
type rowSource interface {
	next() (row, bool, error)
}

// rowCheck compares a partition's rows with its log, both in order.
type rowCheck struct {
	partition int
	rows      rowSource
	out       *collector

	ahead   row // the next row, when has is true
	has     bool
	started bool
}

// event takes the next event of the log: the row it should have, or nil for
// none. Offsets ascend.
func (c *rowCheck) event(offset int64, want *row) error {
	if err := c.passBelow(offset); err != nil {
		return err
	}
	found := false
	for c.has && c.ahead.seq == offset {
		got := c.ahead
		switch {
		case want == nil:
			c.extra(&got)
		case got.channel != want.channel && found:
			c.extra(&got)
		case found && got.version < want.version:
			// Superseded: it remains until ClickHouse merges it away.
		default:
			found = true
			if columns := want.differing(&got); columns != "" {
				c.out.differ(PlaceHistory, c.partition, offset, want.channel, "the row differs from the event in %s", columns)
			}
		}
		if err := c.advance(); err != nil {
			return err
		}
	}
	if want != nil && !found {
		c.out.differ(PlaceHistory, c.partition, offset, want.channel, "the %s has no row", want.kind)
	}
	return nil
}

// skip passes the rows up to offset without a comparison.
func (c *rowCheck) skip(offset int64) error {
	if err := c.start(); err != nil {
		return err
	}
	for c.has && c.ahead.seq <= offset {
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

// finish takes the rows after the last event.
func (c *rowCheck) finish() error {
	if err := c.start(); err != nil {
		return err
	}
	for c.has {
		c.extra(&c.ahead)
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

// passBelow takes the rows below offset, which have no event.
func (c *rowCheck) passBelow(offset int64) error {
	if err := c.start(); err != nil {
		return err
	}
	for c.has && c.ahead.seq < offset {
		c.extra(&c.ahead)
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (c *rowCheck) extra(r *row) {
	c.out.differ(PlaceHistory, c.partition, r.seq, r.channel, "there is a %s row, but no such event", r.kind)
}

func (c *rowCheck) start() error {
	if c.started {
		return nil
	}
	c.started = true
	return c.advance()
}

func (c *rowCheck) advance() (err error) {
	if c.ahead, c.has, err = c.rows.next(); c.has {
		c.out.report.Rows++
	}
	return err
}
