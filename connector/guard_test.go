package connector

import (
	"context"
	"fmt"
	"testing"

	"github.com/segmentio/kafka-go"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
)

// Only the loss of the log itself, and what Kafka does not allow, is for a
// person; pushes that were lost are recovered from.
func TestWhatOnlyAPersonCanMend(t *testing.T) {
	cut := &eventlog.OffsetError{Topic: "parley.push", Offset: 1, First: 5, End: 9}
	for name, c := range map[string]struct {
		err   error
		fatal bool
	}{
		"a log that is refused":       {fmt.Errorf("read the pushes: %w", readError(epoch.Refuse("another log"))), true},
		"an acknowledgement too low":  {fmt.Errorf("publish: %w", eventlog.ErrLogReplaced), true},
		"pushes cut past us":          {fmt.Errorf("read the pushes: %w", readError(cut)), false},
		"another topic of the pushes": {fmt.Errorf("read the pushes: %w", readError(eventlog.ErrLogReplaced)), false},
		"a right that is missing":     {fmt.Errorf("beat: %w", kafka.TopicAuthorizationFailed), true},
		"a wrong password":            {fmt.Errorf("open the log: %w", kafka.SASLAuthenticationFailed), true},
		"a broker that is away":       {fmt.Errorf("open the log: %w", kafka.BrokerNotAvailable), false},
		"declared down":               {errDown, false},
		"a stop":                      {context.Canceled, false},
		"nothing":                     {nil, false},
	} {
		if got := fatal(c.err); got != c.fatal {
			t.Errorf("%s: %v counts as fatal: %v, want %v", name, c.err, got, c.fatal)
		}
	}
}
