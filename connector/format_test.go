package connector

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/schema"
)

// A connector uses a format in a partition when the log's beginning, a push of
// that partition, or the completed raise of this log says that it is in force
// there; and no sooner.
func TestFormatInForce(t *testing.T) {
	const partitions = 2
	here, there := "here", "there"
	for schema.PartitionOf(here, partitions) != 0 {
		here += "."
	}
	for schema.PartitionOf(there, partitions) != 1 {
		there += "."
	}
	for name, c := range map[string]struct {
		marker      int32
		push        *schema.Push
		rule        *schema.RulesFormat
		here, there int32
	}{
		"a log of before":           {1, nil, nil, 1, 1},
		"one without its beginning": {0, nil, nil, 1, 1},
		"a new log":                 {2, nil, nil, 2, 2},
		"half-way":                  {1, &schema.Push{Partition: 0, Format: 2}, nil, 2, 1},
		"a push of format 1":        {1, &schema.Push{Partition: 0, Format: 1}, nil, 1, 1},
		"a push of no partition":    {1, &schema.Push{Partition: partitions, Format: 2}, nil, 1, 1},
		"complete":                  {1, nil, &schema.RulesFormat{Number: 2, Epoch: "e"}, 2, 2},
		"complete in another log":   {1, nil, &schema.RulesFormat{Number: 2, Epoch: "before"}, 1, 1},
	} {
		inc := &incarnation{
			log:     epoch.Log{Epoch: "e", Partitions: partitions, Format: c.marker},
			formats: make(formats, partitions), rules: newRulebook(),
		}
		if c.push != nil {
			inc.formats.note(c.push)
			inc.formats.note(&schema.Push{Partition: c.push.Partition, Format: 1}) // never lowered
		}
		if c.rule != nil {
			apply(t, inc.rules.table, c.rule)
		}
		if h, th := inc.format(here), inc.format(there); h != c.here || th != c.there {
			t.Errorf("%s: formats %d and %d, want %d and %d", name, h, th, c.here, c.there)
		}
		want := schema.Reason_REASON_FORBIDDEN
		if c.here < 2 {
			want = schema.Reason_REASON_DISCONNECT
		}
		if got := inc.reasonFor(here, schema.Reason_REASON_FORBIDDEN); got != want {
			t.Errorf("%s: a user who may no longer join leaves with %v, want %v", name, got, want)
		}
		if got := inc.reasonFor(here, schema.Reason_REASON_TIMEOUT); got != schema.Reason_REASON_TIMEOUT {
			t.Errorf("%s: a user who times out leaves with %v", name, got)
		}
	}
}

func apply(t *testing.T, table *rules.Table, m *schema.RulesFormat) {
	t.Helper()
	value, err := proto.Marshal(m)
	if err == nil {
		_, err = table.Apply(schema.RulesKeyFormat, value, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
}
