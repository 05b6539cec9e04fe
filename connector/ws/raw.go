package ws

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// newRaw sends over a line that is not a WebSocket, and on which first was read
// already. Whoever it is for sets what is sent to close it, see [Conn.SayBye].
func newRaw(l Line, first []byte, o Options) *Conn {
	c := New(l, o)
	c.farewell = func(int, string) []byte { return nil }
	c.stream = bufio.NewReaderSize(io.MultiReader(bytes.NewReader(first), &paced{l, newPace(o)}), bufferBytes)
	return c
}

// paced reads a line as fast as it may be read.
type paced struct {
	Line
	pace pace
}

func (p *paced) Read(b []byte) (int, error) {
	n, err := p.Line.Read(b)
	p.pace.wait(n)
	return n, err
}

// IsRaw reports whether the connection is not a WebSocket.
func (c *Conn) IsRaw() bool { return c.stream != nil }

// ReadRaw is Read of a connection that is not a WebSocket. A message begins with a head
// of so many bytes, from which body tells how many follow; its error ends the
// connection. io.EOF: the client has ended it after a message.
func (c *Conn) ReadRaw(head int, body func(head []byte) (int, error), handle func([]byte)) error {
	for {
		if err := c.readRaw(head, body, handle); err != nil {
			return err
		}
	}
}

func (c *Conn) readRaw(head int, body func([]byte) (int, error), handle func([]byte)) error {
	if _, err := c.stream.Peek(1); err != nil {
		return err
	}
	if err := c.armMessage(messageTimeout); err != nil {
		return err
	}
	defer func() { c.reading.Release(&c.incoming, int(c.incoming.Load())) }()
	first, err := c.stream.Peek(head)
	if err != nil {
		return cutShort(err)
	}
	n, err := body(first)
	if err != nil {
		return err
	}
	message, err := c.readMessage(io.LimitReader(c.stream, int64(head+n)))
	if err == nil && len(message) < head+n {
		err = io.ErrUnexpectedEOF
	}
	if err == nil {
		err = c.armMessage(0)
	}
	if err != nil {
		return err
	}
	return c.take(message, handle)
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Watch looks after a connection whose client answers no pings, as [Conn.Probe]
// does: it closes with 3012 where no message has come for so long.
func (c *Conn) Watch(now time.Time, most time.Duration) {
	l := &c.life
	heard := c.heard.Swap(false)
	switch {
	case c.stuck(now):
		c.Abort()
	case heard, c.handling.Load(), c.blocked():
		l.pingedAt = now // what it sends is not read meanwhile
	case now.Sub(l.pingedAt) > most:
		c.Close(rpc.CloseNoPong, "no sign of life")
	}
}
