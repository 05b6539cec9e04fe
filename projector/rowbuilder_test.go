package projector

import (
	"errors"
	"reflect"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// drawLog makes a log in which ids and counters repeat, within the window and
// beyond it, with corrupt records, holes, and a marker in the middle.
func drawLog(t *rapid.T) []eventlog.Record {
	var log []eventlog.Record
	offset := int64(0)
	for i := range rapid.IntRange(1, 80).Draw(t, "events") {
		e := &schema.Event{Connector: rapid.SampledFrom([]string{"c", "d"}).Draw(t, "connector"), Counter: rapid.Uint64Range(uint64(max(1, i-3)), uint64(i)+1).Draw(t, "counter")}
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			e.Kind = &schema.Event_Join{Join: &schema.Join{Channel: "lobby", Session: "s", User: "ada"}}
		case 1:
			e = &schema.Event{Kind: &schema.Event_Down{Down: &schema.Down{Connector: "d"}}}
		case 2:
			e = &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e", Format: 1, Window: 9}}}
		case 3:
			e = &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 1}}}
		default:
			e.Kind = chat("lobby", "ada", rapid.SampledFrom([]string{"a", "b", "c", "d", "e", "f"}).Draw(t, "id"), "hi").Kind
		}
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if rapid.IntRange(0, 9).Draw(t, "corrupt") == 0 {
			value = []byte("no event")
		}
		log = append(log, eventlog.Record{Offset: offset, Value: value})
		offset += rapid.SampledFrom([]int64{1, 1, 1, 1, 3}).Draw(t, "step")
	}
	return log
}

// foldFrom folds a log from a watermark on, as a projector that starts there
// does, and returns the rows and the new watermark.
func foldFrom(t *rapid.T, log []eventlog.Record, from watermark, window int64) ([]row, watermark) {
	f := newRowBuilder(epoch.Log{Window: window, Format: 1}, 3, from)
	for i := range log {
		if log[i].Offset < from.seq+1-window {
			continue
		}
		if err := f.apply(&log[i]); err != nil && !errors.Is(err, schema.ErrCorrupt) {
			t.Fatal(err)
		}
	}
	made, _ := f.drain()
	return made.rows, made.upTo
}

// Wherever a projector starts, it makes the same rows, void or not, and ends
// at the same watermark.
func TestFoldFromAnywhere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		window := rapid.Int64Range(1, 12).Draw(t, "window")
		log := drawLog(t)
		all, end := foldFrom(t, log, watermark{seq: -1}, window)
		cut := rapid.IntRange(0, len(log)-1).Draw(t, "cut")
		head, mark := foldFrom(t, log[:cut+1], watermark{seq: -1}, window)
		if mark.seq != log[cut].Offset {
			t.Fatalf("the watermark is %d after offset %d", mark.seq, log[cut].Offset)
		}
		tail, tailEnd := foldFrom(t, log, mark, window)
		if got := append(head, tail...); len(got)+len(all) > 0 && !reflect.DeepEqual(got, all) {
			t.Fatalf("cut after %d:\ngot  %+v\nwant %+v", mark.seq, got, all)
		}
		if tailEnd != end {
			t.Fatalf("the watermark is %+v, want %+v", tailEnd, end)
		}
	})
}

// A row builder hands over what is new, once.
func TestTake(t *testing.T) {
	f := newRowBuilder(epoch.Log{Window: 9, Format: 1}, 0, watermark{seq: 4})
	f.skip(4)
	if _, ok := f.drain(); ok {
		t.Error("there is something new at the watermark itself")
	}
	f.skip(7)
	if b, ok := f.drain(); !ok || b.upTo.seq != 7 || len(b.rows) != 0 {
		t.Errorf("after a hole: %+v, %v", b, ok)
	}
	if _, ok := f.drain(); ok {
		t.Error("it was handed over twice")
	}
}

// An event of a format that is not in force stops the row builder: a role that
// knows only the one that is would make another row of it.
func TestFormatInForce(t *testing.T) {
	edit := &schema.Event{Connector: "k", Counter: 9, Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "u", Author: "u", Id: "i", Target: 1, Act: &schema.Change_Delete{Delete: &schema.Delete{}},
	}}}
	raise := &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 2}}}
	for name, c := range map[string]struct {
		from   watermark
		events []*schema.Event // the first at offset 5
		stops  bool
	}{
		"below the raise":             {watermark{seq: -1}, []*schema.Event{edit, raise}, true},
		"above it":                    {watermark{seq: -1}, []*schema.Event{raise, edit}, false},
		"continued above it":          {watermark{seq: 5, format: 2}, []*schema.Event{raise, edit}, false},
		"continued where it is not":   {watermark{seq: 4, format: 1}, []*schema.Event{edit}, true},
		"continued where it has been": {watermark{seq: 4, format: 2}, []*schema.Event{edit}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newRowBuilder(epoch.Log{Window: 9, Format: 1}, 0, c.from)
			var err error
			for i, e := range c.events {
				value, marshalErr := proto.Marshal(e)
				if marshalErr != nil {
					t.Fatal(marshalErr)
				}
				err = errors.Join(err, f.apply(&eventlog.Record{Offset: int64(5 + i), Value: value}))
			}
			var newer *schema.NewerError
			if errors.As(err, &newer) != c.stops || err != nil && !c.stops {
				t.Errorf("%v, want it to stop: %v", err, c.stops)
			}
		})
	}
}
