package connector

import (
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/schema/rpc"
)

// backlogBytes bounds what a channel keeps for joins whose result is being
// made. Beyond it they are closed as slow consumers, and come back.
const backlogBytes = 8 << 20

// deliveryBytes is what a frame takes in a backlog besides its bytes.
const deliveryBytes = 64

// batchBytes is how much of a batch members get at once, but one frame at least.
// What comes after it waits until the writers have had their turn: a burst that
// is longer than a queue throws out nobody who reads.
const batchBytes = 256 << 10

// channel is a channel with local members: from the push that subscribes the
// connector to the one that unsubscribes it. The stream changes it; requests
// read it.
type channel struct {
	name      string
	partition int

	mu        sync.Mutex
	replica   replica
	ring      ring
	members   []*place
	departing []*place // members whose connection is gone and whose leave waits

	out      []byte // frames of this batch, laid end to end, not yet sent
	messages int    // among them
	batch    int
	dirty    bool // among those that the stream flushes at the end of the batch
	cut      bool // the batch was flushed before its end

	delivered int // messages handed to sockets, not counted yet

	backlog      []delivery // since the oldest result in the making
	passed       int        // deliveries that were in the backlog before these
	backlogBytes atomic.Int64
	backlogs     *ws.Tally // of all channels; nil: none
	readers      []*place  // whose result is being made, the oldest first; some have left meanwhile

	loading  *load
	waiting  []*waiter // for the position
	crowded  bool      // somebody came or went since the last presence push
	lastSize int
}

// delivery is one frame and who gets it.
type delivery struct {
	frame    []byte
	message  bool   // rather than news of who came or went
	user, to string // of a private message; "" for everyone
}

func (d *delivery) reaches(user string) bool {
	return d.to == "" || d.user == user || d.to == user
}

// size is what d takes in a backlog.
func (d *delivery) size() int { return len(d.frame) + deliveryBytes }

// waiter is closed when the channel's position has reached seq.
type waiter struct {
	seq  int64
	done chan struct{}
}

// publishMessage gives every member a message. The channel's lock is held.
func (ch *channel) publishMessage(payload []byte) {
	ch.lay(payload, true)
	ch.messages++
}

// publish gives every member other news. The channel's lock is held.
func (ch *channel) publish(payload []byte) { ch.lay(payload, false) }

func (ch *channel) lay(payload []byte, message bool) {
	if len(ch.out) > 0 && len(ch.out)+len(payload)+ws.FrameHeader > batchBytes {
		ch.flush()
		ch.cut = true
	}
	if ch.out == nil {
		ch.out = make([]byte, 0, max(ch.lastSize, len(payload)+ws.FrameHeader))
	}
	start := len(ch.out)
	ch.out = ws.AppendText(ch.out, payload)
	ch.keep(delivery{frame: ch.out[start:len(ch.out):len(ch.out)], message: message})
}

// publishPrivate gives a push to the sessions of two users.
func (ch *channel) publishPrivate(payload []byte, user, to string) {
	d := delivery{frame: ws.TextFrame(payload), message: true, user: user, to: to}
	ch.keep(d)
	for _, p := range ch.members {
		if p.stage == live && d.reaches(p.session.user) {
			ch.sendTo(p)
			p.session.conn.Send(d.frame)
			ch.delivered++
		}
	}
}

func (ch *channel) keep(d delivery) {
	if len(ch.readers) == 0 {
		return
	}
	if !ch.backlogs.Reserve(&ch.backlogBytes, d.size(), backlogBytes) {
		ch.dropReaders()
		return
	}
	ch.backlog = append(ch.backlog, d)
}

// dropReaders closes the sessions whose results take too long.
func (ch *channel) dropReaders() {
	for _, p := range ch.readers {
		p.session.conn.Close(rpc.CloseSlow, "slow consumer: too much happened while the history was read")
		p.cursor = ch.passed + len(ch.backlog)
	}
	ch.trimBacklog()
}

// trimBacklog forgets what no result in the making needs.
func (ch *channel) trimBacklog() {
	n := len(ch.backlog)
	if len(ch.readers) > 0 {
		n = ch.readers[0].cursor - ch.passed
	}
	freed := 0
	for i := range n {
		freed += ch.backlog[i].size()
	}
	clear(ch.backlog[:n])
	ch.backlog, ch.passed = ch.backlog[n:], ch.passed+n
	if len(ch.backlog) == 0 {
		ch.backlog = nil
	}
	ch.backlogs.Release(&ch.backlogBytes, freed)
}

// sendTo sends p its part of the batch so far.
func (ch *channel) sendTo(p *place) {
	from := 0
	ch.delivered += ch.messages
	if p.batch == ch.batch {
		from = p.from
		ch.delivered -= p.had
	}
	if part := ch.out[from:len(ch.out):len(ch.out)]; len(part) > 0 {
		p.session.conn.Send(part)
	}
	p.batch, p.from, p.had = ch.batch, len(ch.out), ch.messages
}

// flush ends the batch: every member gets the same bytes.
func (ch *channel) flush() {
	if len(ch.out) == 0 {
		return
	}
	for _, p := range ch.members {
		if p.stage == live {
			ch.sendTo(p)
		}
	}
	ch.lastSize = len(ch.out)
	ch.out, ch.messages = nil, 0
	ch.batch++
}

// attach makes p a member whose pushes wait for the result of its join.
func (ch *channel) attach(p *place) {
	p.stage, p.index = catchingUp, len(ch.members)
	ch.members = append(ch.members, p)
	p.cursor = ch.passed + len(ch.backlog)
	ch.readers = append(ch.readers, p)
}

// detach ends p's membership.
func (ch *channel) detach(p *place) {
	ch.departing = without(ch.departing, p)
	if p.stage == outside {
		return
	}
	if p.stage == live {
		ch.sendTo(p)
	}
	p.stage = outside
	last := ch.members[len(ch.members)-1]
	ch.members[p.index], last.index = last, p.index
	ch.members[len(ch.members)-1] = nil
	ch.members = ch.members[:len(ch.members)-1]
}

func without(places []*place, p *place) []*place {
	for i := range places {
		if places[i] == p {
			return append(places[:i], places[i+1:]...)
		}
	}
	return places
}

// goLive sends p what waited for its result, and returns how many messages that
// were.
func (ch *channel) goLive(p *place) (messages int) {
	needed := ch.backlog[p.cursor-ch.passed:]
	for i := range needed {
		if d := &needed[i]; d.reaches(p.session.user) {
			p.session.conn.Send(d.frame)
			if d.message {
				messages++
			}
		}
	}
	if p.stage == catchingUp { // else it has left meanwhile
		p.stage = live
	}
	p.batch, p.from, p.had = ch.batch, len(ch.out), ch.messages
	ch.readers = without(ch.readers, p)
	ch.trimBacklog()
	return messages
}

// reach moves the position on and wakes who waits for it.
func (ch *channel) reach(offset int64) {
	ch.replica.advance(offset)
	kept := ch.waiting[:0]
	for _, w := range ch.waiting {
		if w.seq <= offset {
			close(w.done)
		} else {
			kept = append(kept, w)
		}
	}
	clear(ch.waiting[len(kept):])
	ch.waiting = kept
}

// abandon wakes everyone who waits: the connector has no member any more.
func (ch *channel) abandon() {
	for _, w := range ch.waiting {
		close(w.done)
	}
	ch.waiting = nil
}

// reached returns a channel that is closed once the position is at seq.
func (ch *channel) reached(seq int64) <-chan struct{} {
	w := &waiter{seq, make(chan struct{})}
	if ch.replica.position >= seq {
		close(w.done)
	} else {
		ch.waiting = append(ch.waiting, w)
	}
	return w.done
}
