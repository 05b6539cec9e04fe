package connector

import (
	"testing"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Where nobody has ever said anything, joins ask nobody for history: neither the first
// one, nor one that asks for what it missed.
func TestUntouchedChannelsReadNothing(t *testing.T) {
	r := newFoldRig(t)
	r.archive.first = true
	ann, bob := r.enters("ann"), r.enters("bob")
	ann.joins()
	r.says("one")
	ann.hears("one")
	bob.asks(rpc.MethodJoin)
	r.passes("join")
	bob.hears(`"body":"one"`)
	if n := r.archive.asked.Load(); n != 0 {
		t.Errorf("history was read %d times", n)
	}
}

// An earlier epoch may have something of every channel, and so may a channel in which
// something was said before, if only privately.
func TestOtherChannelsAreRead(t *testing.T) {
	private := &schema.Event{Kind: &schema.Event_Chat{Chat: &schema.Chat{Channel: "a", User: "mo", To: "ann", Id: "1", Body: "psst"}}}
	for name, before := range map[string]*schema.Event{"earlier epoch": nil, "private": private} {
		t.Run(name, func(t *testing.T) {
			r := newFoldRig(t)
			if r.archive.first = before != nil; r.archive.first {
				r.elsewhere(before)
			}
			r.enters("ann").joins()
			if r.archive.asked.Load() == 0 {
				t.Error("history was not read")
			}
		})
	}
}
