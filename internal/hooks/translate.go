package hooks

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/fold"
	"github.com/parley-chat/parley/schema"
)

// item is an event as it is sent.
type item struct {
	seq  int64
	kind string
	json []byte
}

// translator makes events of the records of one partition. It does no I/O and knows
// no clock: what it makes is a function of the log's prefix and of the
// filter. For one goroutine.
type translator struct {
	members *fold.Members
	filter  Filter
	// from is where sending begins; below it records are folded alone.
	from start
}

// start is an offset, or the first record of a time or after.
type start struct {
	next int64
	time int64 // milliseconds since the Unix epoch; 0: next alone decides
}

// begun reports whether a record is to be sent, and pins a start that a time says to
// the offset that it turns out to be.
func (s *start) begun(rec *eventlog.Record) bool {
	if s.time != 0 && rec.Offset >= s.next && rec.Time.UnixMilli() >= s.time {
		s.next, s.time = rec.Offset, 0
	}
	return s.time == 0 && rec.Offset >= s.next
}

// take applies the next record and returns what of it is to be sent. The error
// is schema.ErrCorrupt, after which the record counts as applied, or means that the
// log cannot be read on.
func (t *translator) take(rec *eventlog.Record) (items []item, err error) {
	before := rec.Offset < t.members.Next()
	e, err := schema.DecodeEvent(rec.Value)
	switch {
	case errors.Is(err, schema.ErrCorrupt) && before:
		return nil, nil
	case errors.Is(err, schema.ErrCorrupt):
		t.members.Advance(rec.Offset + 1)
		t.members.Remember(epoch.Digest(rec))
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("offset %d: %w", rec.Offset, err)
	}
	void, moves, err := t.members.Apply(rec.Offset, e)
	if err != nil || before {
		return nil, err
	}
	t.members.Remember(epoch.Digest(rec))
	if void || !t.from.begun(rec) {
		return nil, nil
	}
	return t.items(rec.Offset, e, moves)
}

// items encodes what the filter takes of an event of the log.
func (t *translator) items(seq int64, e *schema.Event, moves []fold.Move) (items []item, err error) {
	n := 0
	add := func(out Event, private bool) {
		out.Seq, out.N, out.Time = seq, n, e.Time
		n++
		if err != nil || !t.filter.takes(out.Kind, out.Channel, private) {
			return
		}
		var text []byte
		if text, err = json.Marshal(&out); err == nil {
			items = append(items, item{seq, out.Kind, text})
		}
	}
	if out, private, ok := eventOf(e); ok {
		add(out, private)
	}
	for _, m := range moves {
		if m.Joined {
			if m.Users == 1 {
				add(Event{Kind: kindOccupied, Channel: m.Channel}, false)
			}
			add(Event{Kind: kindJoin, Channel: m.Channel, User: m.User, Info: m.Info, Count: &m.Users}, false)
			continue
		}
		add(Event{Kind: kindLeave, Channel: m.Channel, User: m.User, Reason: m.Reason.Name(), Count: &m.Users}, false)
		if m.Users == 0 {
			add(Event{Kind: kindVacated, Channel: m.Channel}, false)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("encode the event at offset %d: %w", seq, err)
	}
	return items, nil
}
