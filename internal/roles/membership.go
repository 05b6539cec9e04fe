package roles

import (
	"fmt"
	"sync/atomic"
	"time"
)

// apartPatience is how long a role may be out of its consumer group, as in a
// rebalance, and still count as ready.
const apartPatience = 5 * time.Second

// Membership is whether a role is in its consumer group. Its zero value is a
// role that never was. Safe for concurrent use.
type Membership struct {
	state atomic.Pointer[membership] // nil: never a member
}

type membership struct {
	member bool
	since  time.Time
}

// Set records that the role is a member from now on, or no longer.
func (m *Membership) Set(member bool) { m.state.Store(&membership{member, time.Now()}) }

// Unready returns why the role does not do its part at now; "" when it does, or
// has been out of the group only for a moment.
func (m *Membership) Unready(now time.Time) string {
	s := m.state.Load()
	switch {
	case s == nil:
		return "the consumer group has assigned no partition yet"
	case s.member || now.Sub(s.since) <= apartPatience:
		return ""
	}
	return fmt.Sprintf("it has been out of its consumer group for %v, and gets no partitions", now.Sub(s.since).Round(time.Second))
}
