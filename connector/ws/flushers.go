package ws

import (
	"net"
	"runtime"
	"slices"
	"sync"
	"time"
)

// gatherBytes is how much of several short frames is laid together for one
// write.
const gatherBytes = 32 << 10

// Flushers write what waits on many connections. A message for a thousand
// members is a thousand short writes: a few goroutines make them in turns,
// where a goroutine for each would starve everything else that wants to run. They
// never wait for a socket, and none is there while nothing is to be written. The
// zero value is not ready for use. Safe for concurrent use.
type Flushers struct {
	most int // goroutines at once

	mu    sync.Mutex
	ready []*Conn       // with frames to write, each once at most
	next  int           // of ready
	busy  int           // goroutines
	idle  chan struct{} // closed when none is busy; nil: nobody waits
}

// NewFlushers returns flushers with a goroutine for each processor at most.
func NewFlushers() *Flushers { return &Flushers{most: runtime.GOMAXPROCS(0)} }

// add has c written, which must not be ready already.
func (w *Flushers) add(c *Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.ready) == cap(w.ready) && w.next > len(w.ready)/2 {
		// Under load it is never empty: without this it would grow for ever.
		n := copy(w.ready, w.ready[w.next:])
		clear(w.ready[n:])
		w.ready, w.next = w.ready[:n], 0
	}
	w.ready = append(w.ready, c)
	if w.busy < w.most {
		w.busy++
		go w.run()
	}
}

// run writes until nothing is ready.
func (w *Flushers) run() {
	var scratch []byte
	for c := w.pop(); c != nil; c = w.pop() {
		if c.writeNow(&scratch) {
			w.add(c)
		}
	}
}

// Await waits until nothing is ready, or for so long: every socket has taken
// what it had room for.
func (w *Flushers) Await(most time.Duration) {
	w.mu.Lock()
	if w.busy == 0 {
		w.mu.Unlock()
		return
	}
	if w.idle == nil {
		w.idle = make(chan struct{})
	}
	idle := w.idle
	w.mu.Unlock()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-idle:
	case <-timer.C:
	}
}

// pop returns the connection that has waited longest. When none does, it
// returns nil, and the goroutine must end.
func (w *Flushers) pop() *Conn {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.next == len(w.ready) {
		w.ready, w.next = w.ready[:0], 0
		if w.busy--; w.busy == 0 && w.idle != nil {
			close(w.idle)
			w.idle = nil
		}
		return nil
	}
	c := w.ready[w.next]
	w.ready[w.next] = nil
	w.next++
	return c
}

// offer writes as much of the frames as the socket takes without waiting, and
// returns the rest.
func offer(line Line, frames net.Buffers, scratch *[]byte) (rest net.Buffers, err error) {
	for len(frames) > 0 {
		chunk, whole := gather(frames, scratch)
		n, err := line.TryWrite(chunk)
		if err != nil {
			return nil, err
		}
		if n < len(chunk) {
			return after(slices.Clone(frames), n), nil // what is in hand stays as it is
		}
		frames = frames[whole:]
	}
	return nil, nil
}

// gather lays frames together in scratch, as many as there is room for. One
// that is alone is not copied.
func gather(frames net.Buffers, scratch *[]byte) (chunk []byte, whole int) {
	if len(frames) == 1 || len(frames[0])+len(frames[1]) > gatherBytes {
		return frames[0], 1
	}
	chunk = (*scratch)[:0]
	for whole < len(frames) && len(chunk)+len(frames[whole]) <= gatherBytes {
		chunk = append(chunk, frames[whole]...)
		whole++
	}
	*scratch = chunk
	return chunk, whole
}

// after is what is left of frames after n bytes.
func after(frames net.Buffers, n int) net.Buffers {
	for len(frames) > 0 && n >= len(frames[0]) {
		n -= len(frames[0])
		frames = frames[1:]
	}
	if n > 0 {
		frames[0] = frames[0][n:]
	}
	return frames
}
