package ws

import (
	"errors"
	"os"
	"sync"
	"time"
)

// ErrParked ends a call of [Conn.Read] or the like whose connection is parked: it goes on.
var ErrParked = errors.New("the connection is parked")

// resumeTime is for what woke a parked connection to be read.
const resumeTime = time.Second

// Parking holds connections that nothing comes from, without a goroutine: only one for
// all of them, which is there while any is parked. What wakes one is that there is
// something to read, or that it closes. The zero value is ready for use. Safe for
// concurrent use.
//
// Lock order: Conn.mu, then Parking.mu.
type Parking struct {
	mu     sync.Mutex
	poll   *poll // nil: nothing is parked
	parked map[int32]*Conn
	last   int32 // the newest ticket
	work   sync.WaitGroup
}

// Count is how many connections are parked.
func (p *Parking) Count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.parked)
}

// Wait waits until nothing is parked, and what watched it has ended.
func (p *Parking) Wait() { p.work.Wait() }

// park parks a connection whose lock is held, and which nobody reads; false: it
// cannot be parked.
//
// A ticket names one stay of one connection. What the system still says of a stay that
// is over names nobody, even where another connection has its file descriptor by then.
func (p *Parking) park(c *Conn, l *line) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.poll == nil {
		poll, err := newPoll()
		if err != nil {
			return false
		}
		p.poll, p.parked = poll, map[int32]*Conn{}
		p.work.Go(func() { poll.run(p.wake) })
	}
	for p.last++; p.last <= 0 || p.parked[p.last] != nil; {
		p.last = max(p.last, 0) + 1
	}
	if err := p.poll.add(l, p.last); err != nil {
		p.release()
		return false
	}
	p.parked[p.last], c.ticket = c, p.last
	return true
}

// wake has connections read that something came from.
func (p *Parking) wake(tickets []int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, ticket := range tickets {
		if c := p.parked[ticket]; c != nil {
			p.resume(c, ticket)
		}
	}
	p.release()
}

// unpark has a connection read that closes; one that is not parked is left alone. The
// connection's lock is held.
func (p *Parking) unpark(c *Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.ticket != 0 && p.parked[c.ticket] == c {
		p.resume(c, c.ticket)
		p.release()
	}
}

// resume has a connection read on. The lock is held.
func (p *Parking) resume(c *Conn, ticket int32) {
	delete(p.parked, ticket)
	c.resumed = true
	go c.again()
}

// release ends what watches when nothing is parked. The lock is held.
func (p *Parking) release() {
	if len(p.parked) == 0 && p.poll != nil {
		p.poll.close()
		p.poll, p.parked = nil, nil
	}
}

// Park has Read return ErrParked when nothing has come for a while, where the system can
// watch the connection without a goroutine. again is called then, on a goroutine of its
// own, once there is something to read, or the connection closes: it is to call Read
// again, and may run before the call that was parked has returned. Park is to be called
// before Read.
func (c *Conn) Park(again func()) { c.again = again }

// unpark is to be called when the connection begins to close, or is cut. The lock is
// held.
func (c *Conn) unpark() {
	if c.parking != nil {
		c.parking.unpark(c)
	}
}

// canPark reports whether the connection may be parked at all.
func (c *Conn) canPark() bool {
	_, is := c.net.(*line)
	return canPoll && is && c.again != nil && c.parking != nil
}

// park parks the connection; false: the system cannot watch it now, or it is closing.
func (c *Conn) park() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.closing && c.parking.park(c, c.net.(*line))
}

// awaitFrame waits until there is a frame for the library, which then has the time of a
// message for all of it. Pings and pongs are answered here: the library would wait for
// the frame after them, in a call that cannot be left without an end to the connection.
func (c *Conn) awaitFrame() error {
	s, timed := c.socket, false
	for {
		if len(s.ahead) == 0 {
			if err := c.awaitBytes(); err != nil {
				return err
			}
			timed = true
		}
		if !timed { // it has waited here, for as long as what came before it took
			if err := c.armMessage(messageTimeout); err != nil {
				return err
			}
			timed = true
		}
		kind, payload, size := controlFrame(s.ahead)
		switch {
		case kind == 0:
			c.quiet = false
			return nil
		case size > len(s.ahead): // never parked: the rest of it is on its way
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		timed = false
		s.take(size)
		handle := c.ws.PongHandler()
		if kind == opPing {
			handle = c.ws.PingHandler()
		}
		if err := handle(payload); err != nil {
			return err
		}
	}
}

// awaitBytes waits for the first bytes of a frame, and gives the rest the time of a
// message. Its error is ErrParked where they have not come for a while.
func (c *Conn) awaitBytes() error {
	wait := parkAfter
	switch {
	case c.resumed:
		wait, c.resumed, c.quiet = max(wait, resumeTime), false, true
	case c.quiet:
		wait = time.Nanosecond
	}
	if err := c.armMessage(wait); err != nil {
		return err
	}
	err := c.socket.fill()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if c.park() {
			return ErrParked
		}
		if err := c.armMessage(0); err != nil {
			return err
		}
		err = c.socket.fill()
	}
	if err != nil {
		return err
	}
	return c.armMessage(messageTimeout)
}

// controlFrame looks at the beginning of a frame. Of a ping or a pong as RFC 6455 has
// them it returns the payload, once all of the frame is there, and the size that it has,
// as far as that is known; of any other kind 0.
func controlFrame(b []byte) (kind byte, payload string, size int) {
	const final, masked, longest = 0x80, 0x80, 125
	if len(b) == 0 || b[0] != final|opPing && b[0] != final|opPong {
		return 0, "", 0
	}
	kind = b[0] &^ final
	if len(b) < 2 {
		return kind, "", 2
	}
	length := int(b[1] &^ masked)
	if b[1]&masked == 0 || length > longest {
		return 0, "", 0
	}
	if size = 2 + 4 + length; len(b) < size {
		return kind, "", size
	}
	key, text := b[2:6], make([]byte, length)
	for i := range text {
		text[i] = b[6+i] ^ key[i%4]
	}
	return kind, string(text), size
}
