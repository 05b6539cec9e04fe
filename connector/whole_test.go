package connector

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

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
