package chatworker

import (
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// The next worker knows who is banned, what is set and pinned and who watches, and
// puts out whom a kick puts out.
func TestTakeoverRestoresFormat2(t *testing.T) {
	r := newRig(t)
	_, stop := r.start()
	mod := &schema.Author{By: &schema.Author_User{User: "mod"}}
	topic, since := "hello", int64(0)
	r.event("a", &schema.Event{Kind: &schema.Event_Join{Join: &schema.Join{
		Channel: "c", Session: "s1", User: "ann", PushPartition: int32(pushPartition("a")), Info: []byte(`{"name":"Ann"}`),
	}}})
	r.event("b", &schema.Event{Kind: &schema.Event_Watch{Watch: &schema.Watch{Channel: "c", Connector: "b", PushPartition: int32(pushPartition("b"))}}})
	target := r.chat("a", "c", "ann", "1")
	r.event("a", &schema.Event{Kind: &schema.Event_Set{Set: &schema.Set{Channel: "c", By: mod, Id: "2", Topic: &topic}}})
	r.event("a", &schema.Event{Kind: &schema.Event_Pin{Pin: &schema.Pin{Channel: "c", By: mod, Id: "3", Target: target}}})
	banned := r.event("a", &schema.Event{Time: 1, Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: "c", User: "eve", By: mod, Id: "4", Action: schema.Sanction_ACTION_BAN, PurgeSince: &since,
	}}})
	r.chat("a", "c", "ann", "5")
	r.awaitChat("b", "5")
	stop()

	r.start()
	r.join("d", "c", "s2", "eve")
	r.event("a", &schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: "c", User: "ann", By: mod, Id: "6", Action: schema.Sanction_ACTION_KICK,
	}}})
	r.chat("a", "c", "ann", "7")
	r.awaitChat("d", "7")
	r.awaitChat("b", "7")

	pushes, repeats := r.taken("d")
	first := pushes[0].Updates[0].GetSnapshot()
	joined := pushes[0].Updates[len(pushes[0].Updates)-1].GetJoined()
	settings := first.GetSettings()
	if settings.GetTopic() != topic || len(settings.GetPins()) != 1 || settings.Pins[0] != target || string(first.Infos[0]) != `{"name":"Ann"}` {
		t.Errorf("the snapshot is %v", first)
	}
	if joined.GetBanned().GetSeq() != banned || joined.Clast != banned || repeats != 0 {
		t.Errorf("the join is %v, with %d repeats; the ban is at %d", joined, repeats, banned)
	}
	await.That(t, "the connector of the user who was kicked hears of it", func() bool {
		pushes, _ := r.taken("a")
		last := pushes[len(pushes)-1].Updates
		removed := last[len(last)-1].GetRemoved()
		return len(removed.GetSessions()) == 1 && removed.Unsubscribed
	})
}
