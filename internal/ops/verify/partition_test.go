package verify

import (
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// What no role goes beyond, verify reports as an error and does not compare.
func TestFormatInForce(t *testing.T) {
	edit := value(t, &schema.Event{Connector: "c", Counter: 1, Kind: &schema.Event_Change{Change: &schema.Change{
		Channel: "c", User: "u", Author: "u", Id: "i", Target: 1, Act: &schema.Change_Delete{Delete: &schema.Delete{}},
	}}})
	p := &pass{
		v: &verification{out: &collector{report: &Report{}}}, stored: newCheckpoint(), mark: watermark{seq: -1},
		window: schema.NewVoidWindow(9), guard: schema.FormatGuard{InForce: 1},
	}
	var newer *schema.NewerError
	if err := p.record(&eventlog.Record{Offset: 5, Value: edit}); !errors.As(err, &newer) {
		t.Errorf("below the raise: %v", err)
	}
	raise := value(t, &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 2}}})
	for offset, v := range [][]byte{raise, edit} {
		if err := p.record(&eventlog.Record{Offset: int64(6 + offset), Value: v}); err != nil {
			t.Errorf("offset %d: %v", 6+offset, err)
		}
	}
}
