package connector

import (
	"fmt"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// One who joins and leaves a large channel again and again, the only one of a
// connector there, costs that connector the list of members twice: after that
// leaves linger, and joins take them back. One who waits for each leave to be
// answered needs five seconds for each.
func TestLeavesLingerInLargeChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(1, plantNone, nil)
		w.healing = true                           // nothing is lost
		const name, members, cycles = "a", 150, 60 // a join's result, which the model checks, names 200
		for i := range members {
			e := &schema.Event{Time: 1, Connector: "k0", Counter: uint64(i + 1), Kind: &schema.Event_Join{Join: &schema.Join{
				Channel: name, Session: fmt.Sprint("far", i), User: fmt.Sprintf("somebody-with-a-name-%04d", i),
			}}}
			value, err := proto.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			w.writeEvent(schema.PartitionOf(name, simPartitions), name, value)
		}
		n := w.nodes[0]
		n.inc.large = lingerAbove
		c := w.newClient("eve")
		w.clients = append(w.clients, c)
		c.connect(n, w.cfg.Limits.Queue)
		w.flow()
		lists := func() (lists, bytes int) {
			for _, p := range w.pushes[n.inc.pushPartition] {
				push := new(schema.Push)
				simDecode(p.value, push)
				for _, u := range push.Updates {
					if u.GetSnapshot().GetFirst() && p.key == n.inc.id {
						lists++
						bytes += len(p.value)
					}
				}
			}
			return lists, bytes
		}
		for range cycles {
			c.join(name)
			w.flow()
			c.call(rpc.MethodLeave, name, rpc.LeaveParams{Channel: name})
			w.flow()
		}
		got, bytes := lists()
		t.Logf("%d lists, %d bytes", got, bytes)
		if got > 2 {
			t.Errorf("%d joins and leaves make %d lists of members, %d bytes", cycles, got, bytes)
		}
		if w.counts["leaves"] < cycles-1 {
			t.Errorf("%d leaves were answered", w.counts["leaves"])
		}
		s, p := c.session, c.session.places[name]
		n.inc.limits.Channels = 0
		s.unanswered <- struct{}{}
		s.join(name, &joinCall{call: &call{session: s, method: rpc.MethodJoin}, since: -1})
		if p.joined() || !p.lingers() {
			t.Error("a join takes a leave back although the session is in as many channels as it may")
		}
		w.pass(lingerFor)
		w.keep()
		w.flow()
		if c.isMember(name) {
			t.Error("the last leave was never published")
		}
		for _, n := range w.nodes {
			n.cancel()
		}
		w.settle()
	})
}
