package roles

import (
	"strings"
	"testing"
	"time"
)

// A role that is out of its group is not ready, but for a rebalance's length.
func TestMembership(t *testing.T) {
	var m Membership
	now := time.Now()
	if m.Unready(now) == "" {
		t.Error("ready without ever having been a member")
	}
	m.Set(true)
	if reason := m.Unready(now.Add(time.Hour)); reason != "" {
		t.Errorf("a member: %s", reason)
	}
	m.Set(false)
	if reason := m.Unready(time.Now()); reason != "" {
		t.Errorf("during a rebalance: %s", reason)
	}
	if reason := m.Unready(time.Now().Add(time.Minute)); !strings.Contains(reason, "out of its consumer group for 1m") {
		t.Errorf("a minute out of the group: %q", reason)
	}
}
