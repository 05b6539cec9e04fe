package checker

import (
	"strings"
	"time"

	"github.com/parley-chat/parley/schema"
)

const (
	// skew is how far apart a client and a server may see the same end.
	skew = 2 * time.Second
	// cleanLeave is how soon a session has left that closed its connection.
	cleanLeave = 3 * time.Second
	// backInTime is how soon a user is back who must not be seen to leave; on a
	// slow machine it must be sooner, because the leave waits for 5 s anywhere.
	backInTime = 4 * time.Second
	// healing is how long after a broker's outage everybody writes again.
	healing = 5 * time.Second
	// silence is how long before its effect a pause of a process may have
	// begun.
	silence = 20 * time.Second
)

// since is a writer's time as the recording counts it.
func (c *check) since(millis int64) time.Duration {
	return time.UnixMilli(millis).Sub(c.Start)
}

// checkPresence compares the memberships of the log with the connections.
func (c *check) checkPresence() {
	byID := map[string]*session{}
	for _, s := range c.sessions {
		byID[s.id] = s
	}
	for _, ch := range c.truth.channels {
		for id, stays := range ch.stays {
			s := byID[id]
			if s == nil {
				c.violate(Genuine, nil, ch.name, stays[0].from, "the log has session %s, which nobody opened", id)
				continue
			}
			for _, st := range stays {
				c.checkBanned(s, ch, st)
				c.checkGhost(s, ch, st)
				c.checkEviction(s, ch, st)
				c.checkFlicker(byID, s, ch, st)
			}
		}
	}
}

// checkGhost checks that a session whose connection ended has left in time.
func (c *check) checkGhost(s *session, ch *channel, st *stay) {
	if s.end == nil {
		return
	}
	if st.to == 0 {
		if c.Drained {
			c.violate(Ghost, s, ch.name, st.from, "its connection ended at %v, and it is a member for ever", s.end.At)
		}
		return
	}
	gone := max(s.end.At, c.since(st.began))
	took := c.since(st.ended) - gone
	allowed := c.Ghost
	if s.end.Clean && !c.faultIn("", gone-c.slow(silence), gone+took) {
		allowed = c.slow(cleanLeave)
	}
	excuse := c.excuse(gone, gone+took)
	if took > allowed+excuse {
		c.violate(Ghost, s, ch.name, st.from, "its connection ended at %v, and it has left %v later; %v are allowed", s.end.At, took, allowed+excuse)
	}
	f := &c.report.Figures
	if f.LongestGhost = max(f.LongestGhost, took); excuse == 0 {
		f.PlainGhost = max(f.PlainGhost, took)
	}
}

// excuse is the time between from and to in which the log could not be
// written, and the grace for workers that failed.
func (c *check) excuse(from, to time.Duration) time.Duration {
	var sum time.Duration
	for _, e := range c.faults {
		switch role(e.Server) {
		case "broker":
			if began, ended := max(e.At, from), min(e.Until+c.slow(healing), to); ended > began {
				sum += ended - began
			}
		case "chatworker":
			if e.At < to && e.Until+c.slow(healing) > from {
				sum += c.WorkerGrace + e.Until - e.At
			}
		}
	}
	return sum
}

// faultIn reports whether a fault struck server, or any when it is "", within
// the time.
func (c *check) faultIn(server string, from, to time.Duration) bool {
	for _, e := range c.faults {
		if (server == "" || e.Server == server) && e.At < to && e.Until > from {
			return true
		}
	}
	return false
}

func role(process string) string {
	name, _, _ := strings.Cut(process, "-")
	return name
}

// checkEviction checks that nobody left who was there and wanted to stay.
func (c *check) checkEviction(s *session, ch *channel, st *stay) {
	if st.to == 0 || st.forced {
		return
	}
	if st.reason == schema.Reason_REASON_BANNED {
		if st.sight == shown {
			c.violate(Evicted, s, ch.name, st.to, "it has left as banned, and was not")
		}
		return
	}
	if st.reason == schema.Reason_REASON_LEAVE {
		if !s.mayHaveLeft(ch.name) {
			c.violate(Evicted, s, ch.name, st.to, "the log has a leave that the session did not ask for")
		}
		return
	}
	ended := c.since(st.ended)
	tolerance := c.slow(skew)
	if st.down {
		tolerance = 0 // a connector ends its sessions because of its down
	}
	if s.end != nil && s.end.At <= ended+tolerance {
		return
	}
	if !c.faultIn(s.server, ended-c.slow(silence), ended+c.slow(skew)) {
		c.violate(Evicted, s, ch.name, st.to, "it has left (%v) while it was connected", st.reason)
	}
}

// mayHaveLeft reports whether the session asked to leave the channel, or made
// a join that was not answered, after which the connector publishes a leave.
func (s *session) mayHaveLeft(channel string) bool {
	for _, e := range s.entries {
		if e.Channel == channel && (e.Op == OpLeave || e.Op == OpJoin && e.Outcome != OK) {
			return true
		}
	}
	return false
}

// checkFlicker checks that a user who was cut off and came back in time was
// not seen to leave.
func (c *check) checkFlicker(byID map[string]*session, s *session, ch *channel, st *stay) {
	if s.end == nil || s.end.Clean || st.to == 0 || st.forced || st.reason == schema.Reason_REASON_LEAVE || st.reason == schema.Reason_REASON_BANNED {
		return
	}
	cut, left := s.end.At, c.since(st.ended)
	if left < cut-c.slow(skew) || c.since(st.began) > cut || c.faultIn(s.server, cut-c.slow(silence), cut+backInTime/time.Duration(c.Slow)) && !c.killedAt(s.server, cut) {
		return
	}
	seen := false
	for _, n := range ch.between(st.to-1, st.to+1) {
		seen = seen || n.user == st.user && !n.joined && !n.may
	}
	if !seen {
		return
	}
	for id, stays := range ch.stays {
		if byID[id] == nil || id == s.id {
			continue
		}
		for _, back := range stays {
			if back.user == st.user && back.from > st.to && c.since(back.began) < cut+backInTime/time.Duration(c.Slow) {
				c.violate(Flicker, s, ch.name, st.to, "%s was cut off at %v and seen to leave, and was back at %v", st.user, cut, c.since(back.began))
			}
		}
	}
}

// killedAt reports whether the server was killed just then, and not paused
// before.
func (c *check) killedAt(server string, at time.Duration) bool {
	killed := false
	for _, e := range c.faults {
		if e.Server != server || e.At > at+c.slow(skew) || e.Until < at-c.slow(silence) {
			continue
		}
		if e.What != "kill" && e.What != "restart" {
			return false
		}
		killed = true
	}
	return killed
}
