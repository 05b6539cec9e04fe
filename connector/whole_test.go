package connector

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// What an event brings to a channel is applied at once.
func TestUpdatesOfAChannelAreOneStep(t *testing.T) {
	r := newFoldRig(t)
	r.enters("ada").joins()
	update := func(channel string) *schema.Update {
		return &schema.Update{Channel: channel, Kind: &schema.Update_Sanctioned{Sanctioned: &schema.Sanctioned{User: "eve", Action: schema.Sanction_ACTION_MUTE}}}
	}
	purge := &schema.Update{Channel: "a", Kind: &schema.Update_Purged{Purged: &schema.Purged{User: "eve"}}}
	n, err := r.stream.update(&schema.Push{Offset: r.offset}, []*schema.Update{update("a"), purge, update("b")})
	if err != nil || n != 2 {
		t.Errorf("%d are applied, %v; want both of the channel", n, err)
	}
}

// A mute that purges is one event: who waits until it has passed finds both.
func TestAnEventPassesAsAWhole(t *testing.T) {
	r := newFoldRig(t)
	ada := r.enters("ada")
	ada.joins()
	ch := r.inc.channels.get("a")
	for i := range 1000 {
		said, muted := r.offset, r.offset+1
		r.says(fmt.Sprint("spam ", i))
		ch.Lock()
		passed := ch.Reached(muted)
		ch.Unlock()
		purged := make(chan bool, 1)
		go func() {
			<-passed
			ch.Lock()
			defer ch.Unlock()
			message, _ := ch.Target(said)
			purged <- message.Deleted
		}()
		r.moderates(&schema.Sanction{User: "mo", Action: schema.Sanction_ACTION_MUTE, PurgeSince: proto.Int64(0)})
		if !<-purged {
			t.Fatal("the mute has passed, and its purge has not")
		}
	}
}
