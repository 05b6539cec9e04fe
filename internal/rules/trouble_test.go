package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
)

// That the topic cannot be read is said after 30 s, and not any more once it can.
func TestTroubleIsToldAfterAWhile(t *testing.T) {
	c, err := eventlog.New(eventlog.Config{Brokers: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	f := NewFollower(FollowConfig{Kafka: c, Table: NewTable()})
	for _, c := range []struct {
		ago  time.Duration
		says string
	}{{silence - time.Second, ""}, {silence + time.Second, "parley.rules could not be read for 31s"}} {
		before := time.Now().Add(-c.ago)
		f.read.Store(&before)
		if got := f.Trouble(); (got == "") != (c.says == "") || !strings.Contains(got, c.says) {
			t.Errorf("not read for %v: %q, want %q", c.ago, got, c.says)
		}
	}
	f.fetched()
	if got := f.Trouble(); got != "" {
		t.Errorf("read just now: %q", got)
	}
}
