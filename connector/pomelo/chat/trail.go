package chat

import (
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	markEvery = 5 * time.Second // that it is noted how far a client was pushed
	marks     = 16              // that are kept
	onItsWay  = 3 * time.Second // that a push may take to a client that is heard
)

// mark is how far a client had been pushed at a time, with nothing queued.
type mark struct {
	at    time.Time
	room  string
	epoch string
	seq   int64
}

// trail is where a client has been of late. The zero value is nowhere.
type trail struct {
	all  [marks]mark
	next int
}

func (t *trail) add(m mark) {
	t.all[t.next%marks] = m
	t.next++
}

// due reports whether it is time for a mark.
func (t *trail) due(now time.Time) bool {
	return t.next == 0 || now.Sub(t.all[(t.next-1)%marks].at) >= markEvery
}

// seen is the newest mark of a room whose pushes have reached a client that was
// heard last at a time.
func (t *trail) seen(room string, heard time.Time) (newest mark, found bool) {
	for i := range t.all {
		if m := &t.all[i]; m.room == room && m.at.After(newest.at) && heard.Sub(m.at) >= onItsWay {
			newest, found = *m, true
		}
	}
	return newest, found
}

// Probe looks after the connection, and notes how far its client was pushed.
func (c *Conn) Probe(now time.Time, every, patience time.Duration, wanted func(last time.Time) bool) {
	c.Conn.Probe(now, every, patience, wanted)
	if c.Waiting() > 0 || c.Closing() {
		return
	}
	c.mu.Lock()
	room, due := c.room, c.arrived && !c.own && c.trail.due(now)
	c.mu.Unlock()
	if room == "" || !due {
		return
	}
	if seq, epoch := c.options.Rooms.Position(room); seq > 0 {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.trail.add(mark{now, room, epoch, seq})
	}
}

// haveArrived takes note that an enter is answered, and returns who the user is;
// here: they are in that room still. What it was known that they had seen is what
// this connection has shown them so far.
func (c *Conn) haveArrived(number uint32, room string) (user string, here bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.room != room {
		return c.user, false
	}
	c.arrived = true
	if c.back.room == room && number != again {
		c.options.Memory.forget(c.user, room)
		c.trail.add(c.back)
		c.back = mark{}
	}
	return c.user, true
}

// remember has the user come back to where they were cut off. Who has left on
// purpose is shown the newest messages again.
func (c *Conn) remember(e front.Ending) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.user == "" || c.room == "" {
		return
	}
	back := e.Ours != 0 && e.Ours < rpc.CloseBadToken || e.Ours == 0 && !e.Clean
	if m, found := c.trail.seen(c.room, c.Heard()); found && back {
		c.options.Memory.keep(c.user, c.room, m.seq, m.epoch)
	}
}
