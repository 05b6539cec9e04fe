package ws

import (
	"bufio"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// WriteTimeout is how long one write may be under way.
	WriteTimeout   = 10 * time.Second
	closeTimeout   = 5 * time.Second  // for a close frame, and what is queued before it, to be taken
	messageTimeout = 30 * time.Second // from the first to the last byte of a message
	lingerTimeout  = time.Second      // for the peer's answer to a close frame
	pingBurst      = 100              // pings of the peer within pingWindow
	pingWindow     = 10 * time.Second
	takeBytes      = 64 << 10 // that a writer takes from the queue at once
)

// Line is a connection below a WebSocket.
type Line interface {
	net.Conn
	// TryWrite writes as much as is taken at once, which may be nothing.
	TryWrite(p []byte) (n int, err error)
}

// Conn is one WebSocket. Anybody may send; frames leave in that order. A
// connection with nothing to write has no writer: the first frame hands it to
// the flushers. While its line is full it has one of its own.
type Conn struct {
	ws       *websocket.Conn
	socket   *socket // what ws reads from
	net      Line    // what the socket reads from
	limit    int     // bytes that may wait
	flushers *Flushers
	budget   *Budget      // of all connections together; nil: none
	requests *quota.Pool  // of what all connections ask; nil: none
	asked    atomic.Int64 // bytes of it
	reading  *quota.Pool  // of the messages that are being read of all; nil: none
	incoming atomic.Int64 // bytes of it, of the message that is being read
	life     life
	ponged   atomic.Bool
	handling atomic.Bool   // a message: nothing is read meanwhile
	heard    atomic.Bool   // a message, since somebody looked
	stream   *bufio.Reader // what is read where there is no WebSocket; nil: there is one
	farewell func(code int, reason string) []byte
	parking  *Parking // nil: it is never parked
	again    func()   // reads on once it is not parked any more; nil: it is never parked
	resumed  bool     // it was parked until now; owned by the reader
	quiet    bool     // nothing but pings and pongs has come since then; likewise

	mu       sync.Mutex
	queue    [][]byte
	inHand   [][]byte      // what is being written
	queued   int           // bytes, what is being written included
	counted  bool          // in the budget, with all of its queue
	promised int           // bytes of answers that are being made
	room     chan struct{} // closed when there is room for an answer; nil: nobody waits
	writing  bool          // a writer is at work, or will be
	began    time.Time     // of the write under way; zero: none is
	idle     *sync.Cond
	sent     int   // bytes, since the connection began
	awaited  bool  // somebody waits for the writer's end
	closing  bool  // a close frame is queued or sent: nothing may follow it
	dead     bool  // cut: nothing is written any more
	code     int   // of the close frame that we began; 0: none
	ticket   int32 // of its newest stay in the parking; guarded by that, too
}

// New sends over a line. Only what an [Upgrader] has upgraded can be read.
func New(line Line, o Options) *Conn {
	c := &Conn{net: line, limit: o.Queue, flushers: o.Flushers, budget: o.Budget, requests: o.Requests, reading: o.Reading, parking: o.Parking, farewell: closeFrame}
	c.idle = sync.NewCond(&c.mu)
	c.life.pingedAt = time.Now()
	return c
}

// SayBye has what bye returns sent to close the connection, which may be nothing,
// in place of a close frame. It is called before anybody else uses the connection;
// bye does not wait, and uses nothing of it.
func (c *Conn) SayBye(bye func(code int, reason string) []byte) { c.farewell = bye }

// Send queues a frame, which the caller must not change any more. A connection
// whose queue is full is closed as a slow consumer; an empty queue takes a frame
// of any size. What is sent to a closing connection is dropped. The caller
// holds no connection's lock.
func (c *Conn) Send(frame []byte) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	if c.queued > 0 && c.queued+len(frame) > c.limit {
		c.closeSlow("slow consumer: the outgoing queue was full")
	} else {
		c.enqueue(frame)
	}
	counted := c.counted
	c.mu.Unlock()
	if counted {
		c.budget.shed()
	}
}

// Offer is Send for what may be left out: it is where half of what may wait does, here
// or, while this queue is among the long ones, in all queues together.
func (c *Conn) Offer(frame []byte) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing || c.dead || c.queued+len(frame) > c.limit/2 || c.counted && c.budget.isHalfFull() {
		return false
	}
	c.enqueue(frame)
	return true
}

// Close queues a close frame after what is queued, unless there is one already.
func (c *Conn) Close(code int, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.beginClose(code)
	c.enqueue(c.farewell(code, reason))
}

// beginClose notes that a close frame follows, and bounds what is left of the
// connection's life: its peer may not read, or not answer. The lock is held.
func (c *Conn) beginClose(code int) {
	c.closing, c.code = true, code
	c.wake()
	if c.counted {
		c.budget.ends(c)
	}
	_ = c.net.SetDeadline(time.Now().Add(closeTimeout))
	c.unpark()
}

// closeSlow closes without sending what is queued, or reading on. The lock is
// held.
func (c *Conn) closeSlow(reason string) {
	for _, f := range c.queue {
		c.queued -= len(f)
	}
	if c.counted {
		c.budget.release(c, c.queue...)
	}
	c.queue = nil
	c.beginClose(rpc.CloseSlow)
	_ = c.net.SetReadDeadline(time.Now())
	c.enqueue(c.farewell(rpc.CloseSlow, reason))
}

// shed closes the connection as a slow consumer because all queues together
// are too long. One that is closing already is cut. It is false when nothing
// was left to do.
func (c *Conn) shed() bool {
	c.mu.Lock()
	closing := c.closing
	if !closing {
		c.closeSlow("slow consumer: the outgoing queues of all were full, and this one was the longest")
	}
	c.mu.Unlock()
	if closing {
		c.Abort()
	}
	return !closing
}

// Dismiss closes at once, for one whose place another takes: with a close frame
// where nothing else is in its way, and without waiting for the answer.
func (c *Conn) Dismiss(code int, reason string) {
	c.mu.Lock()
	if !c.closing && !c.writing {
		c.beginClose(code)
		if bye := c.farewell(code, reason); len(bye) > 0 {
			_, _ = c.net.TryWrite(bye)
		}
	}
	c.mu.Unlock()
	c.Abort()
}

// sendClose queues a close frame that the library made: the answer to the
// client's, or a protocol error.
func (c *Conn) sendClose(frame []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return
	}
	c.beginClose(0)
	c.enqueue(frame)
}

// Waiting is how many bytes wait to be sent.
func (c *Conn) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued
}

// Closing reports whether a close frame is queued or sent: nothing follows it.
func (c *Conn) Closing() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closing
}

// ClosedWith is the code with which this side began to close; 0: it did not.
func (c *Conn) ClosedWith() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.code
}

// enqueue queues a frame and asks for a writer if there is none. The lock is
// held.
func (c *Conn) enqueue(frame []byte) {
	if c.dead {
		return
	}
	if len(frame) > 0 { // without one the writer ends the connection alone
		c.queue = append(c.queue, frame)
		c.queued += len(frame)
	}
	if c.counted && len(frame) > 0 {
		c.budget.hold(c, frame)
	} else if c.queued > takeBytes {
		c.count()
	}
	if !c.writing {
		c.writing = true
		c.flushers.add(c)
	}
}

// writeNow drains the queue as long as the socket takes everything at once, and
// leaves the rest to a goroutine that waits for it. After takeBytes its turn is
// over, and it reports that more may be left: others wait, most of them with
// little to write. scratch is space to reuse.
func (c *Conn) writeNow(scratch *[]byte) (more bool) {
	for written := 0; written < takeBytes; {
		frames, size := c.takeQueue()
		if size == 0 {
			return false
		}
		rest, err := offer(c.net, frames, scratch)
		if len(rest) > 0 {
			c.countFull()
			go c.writeOn(rest, size)
			return false
		}
		c.wrote(size, err)
		written += size
	}
	return true
}

// writeOn writes frames, of size bytes with what was written of them before,
// and then drains the queue.
func (c *Conn) writeOn(frames net.Buffers, size int) {
	for size > 0 {
		c.wrote(size, c.writeOut(slices.Clone(frames)))
		frames, size = c.takeQueue()
	}
}

// wrote notes what became of size bytes.
func (c *Conn) wrote(size int, err error) {
	c.mu.Lock()
	c.queued -= size
	c.sent += size
	if c.counted {
		c.budget.release(c, c.inHand...)
	}
	c.inHand = nil
	if c.room != nil && c.hasRoom() {
		c.wake()
	}
	c.mu.Unlock()
	if err != nil {
		c.Abort()
	}
}

// takeQueue returns what waits longest, and its size in bytes: no more than
// takeBytes, since what is taken is sent also to one that is thrown out. When
// nothing waits the writer ends.
func (c *Conn) takeQueue() (frames net.Buffers, size int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) > 0 && !c.dead {
		n := 0
		for n < len(c.queue) && (n == 0 || size+len(c.queue[n]) <= takeBytes) {
			size += len(c.queue[n])
			n++
		}
		if frames = c.queue[:n:n]; n == len(c.queue) {
			c.queue = nil
		} else { // rather than hold on to what was sent
			frames = slices.Clone(frames)
			clear(c.queue[:n])
			c.queue = c.queue[n:]
		}
		c.inHand = frames
		c.began = time.Now()
		return frames, size
	}
	if c.closing && !c.dead {
		c.linger()
	}
	c.writing, c.began, c.counted = false, time.Time{}, false
	if c.awaited {
		c.idle.Broadcast()
	}
	return nil, 0
}

// awaitIdle waits until no writer is at work.
func (c *Conn) awaitIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.awaited = true; c.writing; {
		c.idle.Wait()
	}
}

// writeOut writes in pieces: a slow client that takes one is not stuck.
func (c *Conn) writeOut(frames net.Buffers) error {
	var scratch []byte
	for len(frames) > 0 {
		piece, _ := gather(frames, &scratch)
		piece = piece[:min(len(piece), gatherBytes)]
		c.mu.Lock()
		c.began = time.Now()
		c.mu.Unlock()
		if _, err := c.net.Write(piece); err != nil {
			return err
		}
		frames = after(frames, len(piece))
	}
	return nil
}

// stuck reports whether one write has been under way for too long. The housekeeping
// asks now and then, which spares a deadline for each write.
func (c *Conn) stuck(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.began.IsZero() && now.Sub(c.began) > WriteTimeout
}

// linger leaves the peer a moment to read the close frame: closing at once
// with unread input would reset the connection, and the frame be lost.
func (c *Conn) linger() {
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTimeout))
	if half, ok := c.net.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// Abort cuts the connection. The reader and the writer end.
func (c *Conn) Abort() {
	c.mu.Lock()
	c.closing, c.dead = true, true
	if c.counted {
		c.budget.release(c, c.queue...)
		c.budget.release(c, c.inHand...)
	}
	c.queue, c.inHand, c.counted = nil, nil, false
	c.wake()
	c.unpark()
	c.mu.Unlock()
	_ = c.net.Close()
}

// Discard reads on after a close frame until the peer has answered, so that
// it is not reset, and ends the connection.
func (c *Conn) Discard() {
	_ = c.net.SetWriteDeadline(time.Now().Add(closeTimeout))
	c.awaitIdle()
	_ = c.net.SetReadDeadline(time.Now().Add(lingerTimeout))
	_, _ = io.Copy(io.Discard, io.LimitReader(c.net, inFlight))
	c.Abort()
	c.awaitIdle()
}
