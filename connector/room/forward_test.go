package room

import (
	"testing"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/changes"
	"github.com/parley-chat/parley/schema/rpc"
)

var allOf = Span{User: "ada", End: 1 << 40, Bytes: 1 << 20}

// A recovery looks further back for reactions than for messages: a channel whose ring
// has filled up by itself is read all the same, so that the next ones need no history.
func TestMemoryReachesBackForReactions(t *testing.T) {
	c := New("a", Options{Entries: 4, Presence: 1000})
	c.replica.position = 10_000
	c.begin(10_000)
	for seq := range int64(4) {
		say(t, c, 10_001+seq, "ada", "", "hi")
	}
	if _, ok := c.Missed(allOf, 10_002, 10); ok || c.Full() {
		t.Fatalf("memory is full, or knows of reactions before 10000: %v", ok)
	}
	older := NewOlder(nil, nil, 10_004, false, 9000, "", Records{All: []changes.Record{}, From: 5000})
	say(t, c, 10_005, "ada", "", "hi") // the floor is another one now
	c.Extend(10_001, older)
	if p, ok := c.Missed(allOf, 10_002, 10); !ok || len(p.Messages) != 3 || !c.Full() {
		t.Errorf("%d messages are found (%v), full %v", len(p.Messages), ok, c.Full())
	}
}

// A recovery that lacks the counts of an older message has them looked up: the next
// one is answered from memory.
func TestRecoveriesHaveCountsLookedUp(t *testing.T) {
	c := New("a", Options{Entries: 4, Presence: 1000})
	c.replica.position = 10_000
	c.begin(5000)
	send(t, c, 10_001, &schema.Reacted{User: "bob", Target: 7, Author: "ada", Name: "x"})
	c.Wanted() // and the read fails
	if _, ok := c.Missed(allOf, 10_000, 10); ok || !c.Wants() {
		t.Fatalf("what is not known is answered: %v, looked up: %v", ok, c.Wants())
	}
	var s changes.State
	s.Add(&changes.Message{Seq: 7, User: "ada"}, &c.changes.records[0].Change)
	c.AddTarget(7, &rpc.Message{Seq: 7, User: "ada"}, &s, 10_001)
	if p, ok := c.Missed(allOf, 10_000, 10); !ok || len(p.Reacted) != 1 || p.Reacted[0].Counts["x"] != 1 {
		t.Errorf("the recovery has %v, %v", p.Reacted, ok)
	}
}

// An edit may come after the deletion of its message, which its connector had not seen.
// Where memory does not reach back so far, it cannot tell whether the text may be shown.
func TestEditsAfterADeletionAreNotShown(t *testing.T) {
	edit := &schema.Changed{User: "ada", Target: 7, Author: "ada", Act: &schema.Changed_Edit{Edit: &schema.Edit{Body: "secret"}}}
	for _, floor := range []int64{9999, 10_000} { // of what memory knows
		c := New("a", Options{Entries: 4, Presence: 1000})
		c.replica.position = floor - 1
		c.begin(floor)
		if floor == 9999 {
			send(t, c, 9999, &schema.Changed{User: "ada", Target: 7, Author: "ada", Act: &schema.Changed_Delete{Delete: &schema.Delete{}}})
		}
		send(t, c, 10_000, edit)
		p, ok := c.After(allOf, 9999, 10)
		if ok != (floor == 9999) || ok && (len(p.Changes) != 1 || p.Changes[0].Edit.Body != "") {
			t.Errorf("from %d on, memory answers %v: %v", floor, ok, p.Changes)
		}
	}
}
