package sim

import (
	"encoding/json"
	"fmt"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// bot is a backend as who acts.
var bot = &schema.Author{By: &schema.Author_Key{Key: "bot"}}

// moderates reports whether the client's user is a moderator.
func (c *client) moderates() bool { return c.user == "ann" }

// anyUser picks whom moderators do something to: now and then one who is never there,
// whose name is hard to tell from others.
func (w *world) anyUser() string {
	if w.chance(10) {
		return []string{"b", "b/ann/b", "a/b"}[w.rng.IntN(3)]
	}
	return w.anyClient().user
}

// moderate does what moderators do.
func (c *client) moderate(channel string) {
	w := c.w
	user, id := w.anyUser(), c.newID()
	if c.moderates() && user == c.user && w.chance(60) {
		user = "bob"
	}
	sanction := rpc.SanctionParams{Channel: channel, User: user, Reason: "r" + id, ID: id}
	if w.chance(50) {
		sanction.For = new([]int64{500, 3000, 2 * 3600 * 1000}[w.rng.IntN(3)])
	}
	if w.chance(20) {
		sanction.Purge = new([]int64{0, c.target(channel)}[w.rng.IntN(2)])
	}
	switch k := w.rng.IntN(100); {
	case k < 17:
		c.does(rpc.MethodMute, channel, id, sanction)
	case k < 30:
		c.does(rpc.MethodBan, channel, id, sanction)
	case k < 40:
		c.does(rpc.MethodKick, channel, id, rpc.KickParams{Channel: channel, User: user, Reason: "r" + id, ID: id})
	case k < 66:
		p := rpc.LiftParams{Channel: channel, User: user, ID: id}
		p.Action = []string{"", rpc.SanctionMute, rpc.SanctionBan}[w.rng.IntN(3)]
		c.does(rpc.MethodLift, channel, id, p)
	case k < 72:
		c.does(rpc.MethodPurge, channel, id, rpc.PurgeParams{Channel: channel, User: user, Since: c.target(channel), Reason: "r" + id, ID: id})
	case k < 90:
		c.does(rpc.MethodSet, channel, id, w.anySet(channel, id))
	default:
		limit := 1 + w.rng.IntN(4)
		c.call(rpc.MethodSanctions, channel, rpc.SanctionsParams{Channel: channel, After: []string{"", "ann", "b/ann"}[w.rng.IntN(3)], Limit: &limit})
	}
}

// anySet sets something, and takes away more often than not what keeps users silent.
func (w *world) anySet(channel, id string) rpc.SetParams {
	p := rpc.SetParams{Channel: channel, ID: id}
	if w.chance(50) {
		p.Frozen = new(w.chance(35))
	}
	if w.chance(40) {
		p.Slow = new([]int64{0, 0, 2}[w.rng.IntN(3)])
	}
	if w.chance(30) {
		p.Data = json.RawMessage([]string{"null", `{"n":2}`}[w.rng.IntN(2)])
	}
	if w.chance(30) || p.Frozen == nil && p.Slow == nil && p.Data == nil {
		p.Topic = new([]string{"", "about " + id}[w.rng.IntN(2)])
	}
	return p
}

// putOutLeaving has a backend put out one who is about to leave.
func (w *world) putOutLeaving(int) {
	c := w.anyClient()
	for _, name := range channels {
		if c.session != nil && c.leaves(name) {
			w.putOut(name, c.user)
			return
		}
	}
}

// putOut has a backend kick a user, or ban them.
func (w *world) putOut(channel, user string) {
	partition := schema.PartitionOf(channel, partitions)
	if !w.formats.newer(partition) {
		return
	}
	w.lives++
	s := &schema.Sanction{Channel: channel, User: user, By: bot, Id: fmt.Sprint("backend", w.lives), Action: schema.Sanction_ACTION_KICK}
	if w.chance(30) {
		s.Action = schema.Sanction_ACTION_BAN
	}
	w.tracef("a backend puts %s out of %s", user, channel)
	w.logs[partition].append(encode(&schema.Event{
		Time: w.now(), Connector: fmt.Sprint("api", w.lives), Counter: 1, Kind: &schema.Event_Sanction{Sanction: s},
	}))
}

// sanctionByKey has a backend sanction a user.
func (w *world) sanctionByKey(channel string) *schema.Event {
	s := &schema.Sanction{Channel: channel, User: w.anyUser(), By: bot, Id: fmt.Sprint("backend", w.lives), Reason: "spam"}
	s.Action = schema.Sanction_ACTION_MUTE + schema.Sanction_Action(w.rng.IntN(6))
	if s.Action <= schema.Sanction_ACTION_BAN && w.chance(50) {
		s.Until = w.now() + int64(w.rng.IntN(3000))
	}
	if s.Action <= schema.Sanction_ACTION_BAN && w.chance(20) {
		s.PurgeSince = new(int64)
	}
	return &schema.Event{Kind: &schema.Event_Sanction{Sanction: s}}
}
