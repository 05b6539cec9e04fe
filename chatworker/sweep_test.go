package chatworker

import (
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// beatsOf beats for connectors that take tokens of an age, until stop is called.
func (r *rig) beatsOf(ages map[string]time.Duration) (stop func()) {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	beat := func() {
		for id, age := range ages {
			e, err := newEntry(0, schema.ControlKeyBeat(id), &schema.Beat{Time: 1, TokenAge: age.Milliseconds()})
			if err == nil {
				_, err = appendAll(ctx, r.beats, e)
			}
			if err != nil && ctx.Err() == nil {
				r.t.Errorf("beat: %v", err)
			}
		}
	}
	beat()
	var beating sync.WaitGroup
	beating.Go(func() {
		for ctx.Err() == nil {
			beat()
			time.Sleep(20 * time.Millisecond)
		}
	})
	return sync.OnceFunc(func() {
		cancel()
		beating.Wait()
	})
}

// The owner of the control partition removes rules that are over, and no others;
// revocations once no connector takes tokens that are so old.
func TestRulesThatAreOverAreRemoved(t *testing.T) {
	r := newRig(t)
	ago := func(d time.Duration) int64 { return time.Now().Add(-d).UnixMilli() }
	write := func(all ...rules.Rule) {
		t.Helper()
		if err := rules.Write(r.ctx(), r.client, all...); err != nil {
			t.Fatal(err)
		}
	}
	left := func(want ...string) {
		t.Helper()
		await.That(t, "what is left is not over", func() bool {
			return slices.Equal(slices.Sorted(maps.Keys(r.state(schema.TopicRules, 0))), want)
		})
	}
	write(
		rules.Rule{Kind: rules.Barred, Name: "ever", Value: &schema.Bar{Time: 1}},
		rules.Rule{Kind: rules.Barred, Name: "over", Value: &schema.Bar{Until: ago(time.Hour)}},
		rules.Rule{Kind: rules.RevokedToken, Name: "over", Value: &schema.TokenRevocation{Until: ago(time.Hour)}},
		rules.Rule{Kind: rules.Revoked, Name: "hours", Value: &schema.Revocation{Before: ago(3 * time.Hour)}},
		rules.Rule{Kind: rules.Revoked, Name: "days", Value: &schema.Revocation{Before: ago(72 * time.Hour)}},
	)
	p := r.producer(eventlog.ProducerConfig{Topic: schema.TopicRules})
	if _, err := p.ProduceSync(r.ctx(), 0, eventlog.Record{Key: []byte("barred/x"), Value: []byte("no bar at all")}); err != nil {
		t.Fatal(err)
	}
	unknown := r.beatsOf(map[string]time.Duration{"day": 24 * time.Hour, "hour": time.Hour, "unknown": 0})
	defer unknown()
	r.start(fastTicks)
	left("barred/ever", "barred/x", "revoked/days", "revoked/hours")
	if len(r.logs("level=WARN", "corrupt")) != 1 {
		t.Error("the record that cannot be decoded is not in a warning")
	}
	unknown()
	known := r.beatsOf(map[string]time.Duration{"day": 24 * time.Hour, "hour": time.Hour})
	defer known()
	left("barred/ever", "barred/x", "revoked/hours")

	// A tombstone that comes too late takes away what is not over: it comes back.
	write(rules.Rule{Kind: rules.Barred, Name: "ever"})
	left("barred/ever", "barred/x", "revoked/hours")
}
