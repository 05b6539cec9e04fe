package history

import (
	"errors"
	"testing"

	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/schema/rpc"
)

// A channel is found by its messages wherever these are: in the log's tail, in
// ClickHouse, or in an earlier epoch alone.
func TestHoldsChannelsThatHaveMessages(t *testing.T) {
	w := newWorld(t, 12)
	w.publish(rpc.Message{Channel: "old", ID: "o", User: "bob", To: "eve", Body: "psst"})
	w.publish(say("lobby", 2)...)
	w.migrate("first")
	w.project(1, "first", 1)
	if err := w.db.AddEpoch(w.ctx, clickhouse.Epoch{Name: w.log.Epoch, Partitions: 1}); err != nil {
		t.Fatal(err)
	}
	w.exec("INSERT INTO watermarks_1 (epoch, partition, seq, format, time) VALUES (?, 0, 1, 1, now())", w.log.Epoch) // its rows are lost
	r := w.reader(w.log.Epoch, nil)
	for channel, want := range map[string]bool{"old": true, "lobby": true, "other": false} {
		if got, err := r.Holds(w.ctx, channel); got != want || err != nil {
			t.Errorf("%s: %v, %v", channel, got, err)
		}
	}
	away := w.reader(w.log.Epoch, func(cfg *Config) { cfg.DSN = "clickhouse://127.0.0.1:1/default" })
	if _, err := away.Holds(w.ctx, "lobby"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without ClickHouse: %v", err)
	}
}
