package doctor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// skew is how far two clocks may be apart.
const skew = 2 * time.Second

// checkRoles checks which roles run, whether every partition is served, and
// whether time advances.
func (x *examination) checkRoles(ctx context.Context) error {
	if _, there := x.topics[schema.TopicControl]; !there {
		return nil
	}
	groups, err := roles.Groups(ctx, x.cfg.Kafka)
	if err != nil {
		return err
	}
	served := map[string]bool{}
	for i := range groups {
		g := &groups[i]
		served[g.Kind] = served[g.Kind] || len(g.Roles) > 0
		x.report.Roles = append(x.report.Roles, g.Roles...)
		if len(g.Roles) > 0 {
			x.checkAssigned(g)
		}
	}
	if !served[roles.Chatworker] {
		x.find(Error, "chat workers", "start one with `parley chatworker`")("none runs: nothing is delivered, and nobody joins")
	}
	if !served[roles.Projector] {
		x.find(Error, "projectors", "start one with `parley projector`")("none runs: no history is written")
	}
	if err := x.checkTime(ctx); err != nil {
		return err
	}
	x.checkVersions()
	return nil
}

// checkAssigned looks for partitions that no member serves.
func (x *examination) checkAssigned(g *roles.Group) {
	topics := []string{schema.TopicEvents}
	switch g.Kind {
	case roles.Chatworker:
		topics = append(topics, schema.TopicControl)
	case roles.Ingest:
		topics = []string{schema.TopicCommands}
	}
	for _, topic := range topics {
		var idle []int
		for _, p := range x.topics[topic] {
			if !slices.Contains(g.Assigned[topic], p.ID) {
				idle = append(idle, p.ID)
			}
		}
		if len(idle) > 0 {
			x.find(Error, "group "+g.Name, "wait for 10 s; if it persists, check the logs of its members")("no member serves partitions %v of %s", idle, topic)
		}
	}
}

// pulse is what parley.control holds at one moment.
type pulse struct {
	end        int64
	tick       *schema.Tick
	connectors []roles.Role
}

func (x *examination) pulse(ctx context.Context) (pulse, error) {
	var p pulse
	var err error
	p.end, err = newest(ctx, x.cfg.Kafka, schema.TopicControl, func(r eventlog.Record) {
		var tick schema.Tick
		if string(r.Key) == schema.ControlKeyTick && r.Value != nil && proto.Unmarshal(r.Value, &tick) == nil {
			p.tick = &tick
		}
	})
	if err != nil {
		return p, fmt.Errorf("read %s: %w", schema.TopicControl, err)
	}
	p.connectors, err = roles.Connectors(ctx, x.cfg.Kafka)
	return p, err
}

// checkTime watches ticks and beats for a while.
func (x *examination) checkTime(ctx context.Context) error {
	before, err := x.pulse(ctx)
	if err != nil {
		return err
	}
	select {
	case <-time.After(x.cfg.Watch):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := x.pulse(ctx)
	if err != nil {
		return err
	}
	now := time.Now()
	switch {
	case after.tick == nil:
		x.find(Error, "time", "start a chat worker, or check the logs of those that run")("no tick was ever appended: connectors that crash are not noticed")
	case before.tick != nil && before.tick.Claim == after.tick.Claim && before.tick.Number == after.tick.Number:
		x.find(Error, "time", "start a chat worker, or check the logs of those that run")(
			"it does not advance: the newest tick is %v old; connectors that crash are not noticed", now.Sub(time.UnixMilli(after.tick.Time)).Round(time.Second))
	default:
		x.checkClock("the chat worker that ticks", time.UnixMilli(after.tick.Time), now, 0)
	}
	x.checkBeats(before.connectors, after.connectors, now)
	return nil
}

// checkBeats looks for connectors that fell silent. A live one beats every
// second.
func (x *examination) checkBeats(before, after []roles.Role, now time.Time) {
	living := 0
	for _, c := range after {
		if c.Leaving {
			continue
		}
		i := slices.IndexFunc(before, func(r roles.Role) bool { return r.Name == c.Name })
		if i >= 0 && before[i].Seen.Equal(c.Seen) {
			x.find(Warning, fmt.Sprintf("connector %s at %s", c.Name, c.At), "a chat worker declares it down if it stays silent for 8 ticks")(
				"its last beat was %v ago", now.Sub(c.Seen).Round(time.Second))
			continue
		}
		living++
		x.report.Roles = append(x.report.Roles, c)
		for _, trouble := range c.Trouble {
			x.find(Error, fmt.Sprintf("connector %s at %s", c.Name, c.At), "")("it reports: %s", trouble)
		}
		x.checkClock(fmt.Sprintf("connector %s at %s", c.Name, c.At), c.Seen, now, 0)
	}
	if living == 0 {
		x.find(Error, "connectors", "start one with `parley connector`")("none beats: no client can connect")
	}
}

// checkClock compares a clock with this machine's. The time was read up to
// slack and a second and a half before now: what beats does so every second.
func (x *examination) checkClock(whose string, theirs, now time.Time, slack time.Duration) {
	late := now.Sub(theirs)
	if late > -skew && late < skew+slack+1500*time.Millisecond {
		return
	}
	x.find(Warning, whose, "synchronise the clocks, with NTP")("its clock differs from this machine's by about %v: times in messages, history and traces do not fit together", (-late).Round(100*time.Millisecond))
}
