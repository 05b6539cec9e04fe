package sim

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// One who joins and leaves a large channel again and again, the only one of a
// connector there, costs that connector the list of members twice: after that
// leaves linger, and joins take them back. One who waits for each leave to be
// answered needs five seconds for each.
func TestLeavesLingerInLargeChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLingerWorld(t)
		const cycles = 60
		for range cycles {
			l.eve.join(l.name)
			l.flow()
			l.leave(l.eve)
			l.flow()
		}
		l.sent(t, 2)
		if l.counts["leaves"] < cycles-1 {
			t.Errorf("%d leaves were answered", l.counts["leaves"])
		}
		l.pass(lingerFor)
		l.keep()
		l.flow()
		if l.eve.isMember(l.name) {
			t.Error("the last leave was never published")
		}
		l.end()
	})
}

// Joins and leaves that come in one burst, before the first of them has passed,
// cost no more.
func TestBurstsOfLeavesLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLingerWorld(t)
		const bursts, cycles = 3, 60
		for range bursts {
			for range cycles {
				l.eve.join(l.name)
				l.leave(l.eve)
			}
			l.flow()
		}
		l.sent(t, 2)
		if l.counts["leaves"] < bursts*cycles-1 {
			t.Errorf("%d leaves were answered", l.counts["leaves"])
		}
		l.end()
	})
}

// Connections that join and end in order before the join has passed, one after
// the other, cost no more either.
func TestConnectionsThatOnlyJoinLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLingerWorld(t)
		for range 60 {
			l.eve.join(l.name)
			l.eve.disconnect(true)
			l.flow()
			l.eve.connect(l.nodes[0], l.cfg.Limits.Queue)
		}
		l.sent(t, 2)
		l.pass(2 * cutGrace)
		l.keep()
		l.flow()
		if n := len(l.channel(l.name).members); n != lingerMembers {
			t.Errorf("%d members remain, %d of them of others", n, lingerMembers)
		}
		l.end()
	})
}

// A join takes no leave back where its session is in as many channels as it may.
func TestJoinBeyondTheLimitTakesNothingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLingerWorld(t, func(cfg *connector.Config) { cfg.Limits.Channels = 1 })
		for range 3 { // the second leave lingers
			l.eve.join(l.name)
			l.flow()
			l.leave(l.eve)
			l.flow()
		}
		l.eve.join("a/b")
		l.flow()
		taken := l.counts["leaves taken back"]
		l.eve.join(l.name)
		l.flow()
		if l.counts["refused with 1004"] != 1 || l.counts["leaves taken back"] != taken {
			t.Error("a join takes a leave back although the session is in as many channels as it may")
		}
		l.end()
	})
}

// Two sessions that join and leave together cost no more than one.
func TestLeavesOfTwoLinger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLingerWorld(t)
		bob := l.newClient("bob")
		l.clients = append(l.clients, bob)
		bob.connect(l.nodes[0], l.cfg.Limits.Queue)
		two := []*client{l.eve, bob}
		for range 60 {
			for _, c := range two {
				c.join(l.name)
			}
			l.flow()
			for _, c := range two {
				l.leave(c)
			}
			l.flow()
		}
		l.sent(t, 2)
		l.pass(lingerFor)
		l.keep()
		l.flow()
		if l.eve.isMember(l.name) || bob.isMember(l.name) {
			t.Error("a leave was never published")
		}
		l.end()
	})
}

// Where as many sessions wait as may, those that end do not wait as well, although
// their joins are under way.
func TestWaitingSessionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLingerWorld(t, func(cfg *connector.Config) { cfg.MaxConnections = 3 })
		for i := range 4 * l.cfg.MaxConnections {
			c := l.newClient(fmt.Sprint("user", i))
			l.clients = append(l.clients, c)
			c.connect(l.nodes[0], l.cfg.Limits.Queue)
			c.join(l.name)
			c.disconnect(true)
			l.flow()
			if n := l.nodes[0].inc.Ended(); n > l.cfg.MaxConnections {
				t.Fatalf("%d sessions wait, %d may", n, l.cfg.MaxConnections)
			}
		}
		l.end()
	})
}

const lingerMembers = 150 // a join's result, which the model checks, names 200

// lingerWorld is a world with one connector and one client, and a large channel
// that only others are in.
type lingerWorld struct {
	*world
	name string
	eve  *client
}

func newLingerWorld(t *testing.T, changes ...func(*connector.Config)) *lingerWorld {
	l := &lingerWorld{world: newWorld(1, plantNone, nil), name: "a"}
	l.large = lingerAbove
	for _, change := range changes {
		change(&l.cfg)
	}
	for _, n := range slices.Clone(l.nodes) {
		n.kill()
	}
	l.nodes = []*node{l.newNode(0)}
	l.healing = true // nothing is lost
	for i := range lingerMembers {
		e := &schema.Event{Time: 1, Connector: "k0", Counter: uint64(i + 1), Kind: &schema.Event_Join{Join: &schema.Join{
			Channel: l.name, Session: fmt.Sprint("far", i), User: fmt.Sprintf("somebody-with-a-name-%04d", i),
		}}}
		value, err := proto.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		l.writeEvent(schema.PartitionOf(l.name, partitions), l.name, value)
	}
	l.eve = l.newClient("eve")
	l.clients = append(l.clients, l.eve)
	l.eve.connect(l.nodes[0], l.cfg.Limits.Queue)
	l.flow()
	return l
}

func (l *lingerWorld) leave(c *client) {
	c.call(rpc.MethodLeave, l.name, rpc.LeaveParams{Channel: l.name})
}

// sent checks how many lists of members the connector was sent at most.
func (l *lingerWorld) sent(t *testing.T, most int) {
	lists, bytes := 0, 0
	for _, p := range l.pushes[l.nodes[0].pushPartition] {
		push := new(schema.Push)
		decode(p.value, push)
		for _, u := range push.Updates {
			if u.GetSnapshot().GetFirst() && p.key == l.nodes[0].id {
				lists++
				bytes += len(p.value)
			}
		}
	}
	t.Logf("%d lists, %d bytes", lists, bytes)
	if lists > most {
		t.Errorf("%d lists of members were sent, %d bytes", lists, bytes)
	}
}
