package sim

import (
	"fmt"
	"time"

	"github.com/parley-chat/parley/schema"
)

// sanction has a backend do what moderators do.
func (w *world) sanction(partition int) {
	if !w.formats.newer(partition) {
		return
	}
	name := channels[w.rng.IntN(len(channels))]
	if schema.PartitionOf(name, partitions) != partition {
		return
	}
	actions := []schema.Sanction_Action{
		schema.Sanction_ACTION_MUTE, schema.Sanction_ACTION_BAN, schema.Sanction_ACTION_KICK,
		schema.Sanction_ACTION_LIFT, schema.Sanction_ACTION_LIFT, schema.Sanction_ACTION_LIFT_MUTE, schema.Sanction_ACTION_LIFT_BAN,
	}
	w.backend(partition, &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: name, User: targets[w.rng.IntN(len(targets))], Action: actions[w.rng.IntN(len(actions))],
	}}})
}

// backend appends an event of a backend.
func (w *world) backend(partition int, e *schema.Event) {
	w.lives++
	e.Time, e.Connector, e.Counter = time.Now().UnixMilli(), fmt.Sprint("api", w.lives), 1
	by, id := &schema.Author{By: &schema.Author_Key{Key: "bot"}}, fmt.Sprint("backend", w.lives)
	switch k := e.Kind.(type) {
	case *schema.Event_Sanction:
		k.Sanction.By, k.Sanction.Id = by, id
	case *schema.Event_Set:
		k.Set.By, k.Set.Id = by, id
	}
	w.tracef("a backend writes %v", e)
	w.logs[partition].append(encode(e))
}

// pardon lifts everything, so that all may speak again.
func (w *world) pardon() {
	for _, name := range channels {
		p := schema.PartitionOf(name, partitions)
		for _, user := range []string{"ann", "bob", "cat/a", "dot"} {
			w.backend(p, &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{Channel: name, User: user, Action: schema.Sanction_ACTION_LIFT}}})
		}
		w.backend(p, &schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{Channel: name, Frozen: new(false), Slow: new(int64(0))}}})
	}
}
