package ws

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// Frames of any size, sent by many at once to a client that reads in bites,
// arrive whole and each sender's in order, although the socket is full most of
// the time.
func TestFlushersLoseNothingOnAFullSocket(t *testing.T) {
	onEachLine(t, func(t *testing.T, client net.Conn, c *Conn) {
		const senders, frames = 4, 300
		var sent [senders]int
		var all [senders][][]byte
		total := 0
		for i := range senders {
			rng := rand.New(rand.NewPCG(7, uint64(i)))
			for range frames {
				size := 1 + rng.IntN(200)
				if rng.IntN(20) == 0 {
					size = gatherBytes + rng.IntN(2*gatherBytes)
				}
				all[i] = append(all[i], bytes.Repeat([]byte{byte(i)}, size))
				sent[i] += size
				total += size
			}
		}
		var sending sync.WaitGroup
		for _, frames := range all {
			sending.Go(func() {
				for _, f := range frames {
					c.Send(f)
				}
			})
		}
		var counts [senders]int
		for got, bite := 0, make([]byte, 3000); got < total; {
			_ = client.SetReadDeadline(time.Now().Add(await.Limit))
			n, err := client.Read(bite)
			if err != nil {
				t.Fatalf("after %d of %d bytes: %v", got, total, err)
			}
			got += n
			for _, b := range bite[:n] {
				counts[b]++
			}
		}
		sending.Wait()
		if counts != sent {
			t.Errorf("%v bytes of the senders arrived, %v were sent", counts, sent)
		}
		c.awaitIdle()
		if c.queued != 0 {
			t.Errorf("%d bytes count as queued when all are written", c.queued)
		}
	})
}

// What one sends arrives in order, whichever way each part of it is written.
func TestFlushersKeepTheOrder(t *testing.T) {
	onEachLine(t, func(t *testing.T, client net.Conn, c *Conn) {
		rng := rand.New(rand.NewPCG(3, 4))
		var want []byte
		for i := range 2000 {
			frame := bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 1+rng.IntN(1000))
			want = append(want, frame...)
			c.Send(frame)
		}
		got := make([]byte, len(want))
		_ = client.SetReadDeadline(time.Now().Add(await.Limit))
		if n, err := io.ReadFull(client, got); err != nil {
			t.Fatalf("after %d of %d bytes: %v", n, len(want), err)
		}
		if !bytes.Equal(got, want) {
			t.Error("what arrived is not what was sent, in its order")
		}
		c.awaitIdle()
	})
}

// What waits is in order and takes no more room than there are connections,
// also where something waits all the time.
func TestFlushersAreBounded(t *testing.T) {
	w := &Flushers{} // without goroutines
	a, b := new(Conn), new(Conn)
	w.add(a)
	for range 100_000 {
		w.add(b)
		if got := w.pop(); got != a {
			t.Fatal("another one was first")
		}
		a, b = b, a
	}
	if n := cap(w.ready); n > 16 {
		t.Errorf("room for %d connections where two wait at most", n)
	}
}

// A connection that was cut is given up, and holds up nobody.
func TestFlushersGiveUpWhatIsCut(t *testing.T) {
	onEachLine(t, func(t *testing.T, _ net.Conn, c *Conn) {
		for range 100 {
			c.Send(make([]byte, 100_000))
		}
		c.Abort()
		c.awaitIdle()
		c.Send([]byte("too late"))
		c.awaitIdle()
	})
}

// A client on a slow line is not given up as long as it takes something: a large
// answer may take it longer than one write may be stuck.
func TestSlowClientThatReadsIsNotStuck(t *testing.T) {
	onEachLine(t, func(t *testing.T, client net.Conn, c *Conn) {
		c.Send(make([]byte, 4<<20))
		await.That(t, "the write is under way", func() bool {
			return !c.stuck(time.Now().Add(-time.Hour)) && c.stuck(time.Now().Add(2*WriteTimeout))
		})
		begun := time.Now()
		if _, err := io.CopyN(io.Discard, client, 1<<20); err != nil {
			t.Fatal(err)
		}
		await.That(t, "it does not count as stuck: it has taken a megabyte since", func() bool { return !c.stuck(begun.Add(WriteTimeout)) })
	})
}

// A slow consumer is told so behind what its writer has in hand, which is little
// of what it did not take, and what it sends is not waited for.
func TestSlowConsumerIsTold(t *testing.T) {
	onEachLine(t, func(t *testing.T, client net.Conn, c *Conn) {
		c.limit, c.writing = 4<<20, true
		frame := TextFrame(make([]byte, 4000))
		for range 100 {
			c.Send(frame)
		}
		inHand, size := c.takeQueue()
		if size > takeBytes {
			t.Errorf("a writer takes %d bytes at once", size)
		}
		for !c.Closing() {
			c.Send(frame)
		}
		if _, err := client.Write([]byte("x")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.net.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading on: %v", err)
		}
		go c.writeOn(inHand, size)
		got, err := io.ReadAll(client)
		if err != nil {
			t.Fatal(err)
		}
		want := append(bytes.Repeat(frame, len(inHand)), closeFrame(rpc.CloseSlow, "slow consumer: the outgoing queue was full")...)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bytes came, want %d: what was in hand, and a close frame", len(got), len(want))
		}
		c.awaitIdle()
	})
}

// swiftLine takes everything at once, and tells who wrote how much.
type swiftLine struct {
	fullLine
	wrote func(bytes int)
}

func (l *swiftLine) TryWrite(p []byte) (int, error) {
	l.wrote(len(p))
	return len(p), nil
}

// A client that takes pages as fast as they come holds up nobody whose queue is
// short: they get their turn after a part of it.
func TestALongQueueTakesTurns(t *testing.T) {
	const pages = 40
	flushers := &Flushers{most: 1}
	ahead := 0 // bytes of pages that were written before the message; the flusher's
	heard := make(chan int, 1)
	quick := New(&swiftLine{wrote: func(int) { heard <- ahead }}, Options{Queue: queueBytes, Flushers: flushers})
	var greedy *Conn
	greedy = New(&swiftLine{wrote: func(n int) {
		if ahead == 0 {
			for range pages - 1 {
				greedy.Send(make([]byte, takeBytes))
			}
			quick.Send(make([]byte, 100))
		}
		ahead += n
	}}, Options{Queue: queueBytes, Flushers: flushers})
	greedy.Send(make([]byte, takeBytes))
	if bytes := <-heard; bytes > 2*takeBytes {
		t.Errorf("%d bytes were written to one client before the 100 of another", bytes)
	}
	greedy.awaitIdle()
	if ahead != pages*takeBytes {
		t.Errorf("%d bytes of pages were written, not %d", ahead, pages*takeBytes)
	}
}
