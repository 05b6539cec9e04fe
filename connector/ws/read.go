package ws

import (
	"context"
	"errors"
	"io"
	"time"
	"unicode/utf8"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
)

// smallMessage is the size of a message that is read without being counted.
const smallMessage = 4 << 10

// errClosing ends the reading of a connection that is being closed: what a flood
// has sent before it knows of that costs no more than the copying.
var errClosing = errors.New("the connection is being closed")

// errKind and errNotUTF8 end a connection with the code RFC 6455 names.
var (
	errKind    = errors.New("a frame of the other kind")
	errNotUTF8 = errors.New("a text frame that is not UTF-8")
	errCrowded = errors.New("too many bytes of requests")
)

// Read hands each text message to handle, on the calling goroutine, until the
// connection ends. Its error is what ended it, a *websocket.CloseError where
// that was the client's close frame.
func (c *Conn) Read(handle func([]byte)) error { return c.readAll(websocket.TextMessage, handle) }

// ReadBinary is Read of binary messages.
func (c *Conn) ReadBinary(handle func([]byte)) error {
	return c.readAll(websocket.BinaryMessage, handle)
}

func (c *Conn) readAll(kind int, handle func([]byte)) error {
	for {
		if err := c.readOne(kind, handle); err != nil {
			return err
		}
	}
}

func (c *Conn) readOne(wanted int, handle func([]byte)) error {
	parks := c.canPark()
	if parks {
		if err := c.awaitFrame(); err != nil {
			return err
		}
	}
	kind, r, err := c.ws.NextReader()
	if err != nil {
		c.closeFor(err)
		return err
	}
	switch {
	case kind == wanted:
	case wanted == websocket.TextMessage:
		c.Close(websocket.CloseUnsupportedData, "binary frames are not accepted")
		return errKind
	default:
		c.Close(websocket.CloseUnsupportedData, "text frames are not accepted")
		return errKind
	}
	if !parks {
		if err := c.armMessage(messageTimeout); err != nil {
			return err
		}
	}
	defer func() { c.reading.Release(&c.incoming, int(c.incoming.Load())) }()
	message, err := c.readMessage(r)
	if err != nil {
		c.closeFor(err)
		return err
	}
	if wanted == websocket.TextMessage && !utf8.Valid(message) {
		c.Close(websocket.CloseInvalidFramePayloadData, "a text frame must be UTF-8")
		return errNotUTF8
	}
	if !parks {
		if err := c.armMessage(0); err != nil {
			return err
		}
	}
	c.socket.read = 0
	return c.take(message, handle)
}

// take hands a message on.
func (c *Conn) take(message []byte, handle func([]byte)) error {
	c.heard.Store(true)
	c.handling.Store(true)
	defer c.handling.Store(false)
	if !c.AwaitRoom(context.Background(), 0) { // reading waits with the answers, until the connection closes
		return errClosing
	}
	handle(message)
	return nil
}

// readMessage reads one message to its end. What it takes counts among the
// connection's incoming bytes, which the caller gives back.
func (c *Conn) readMessage(r io.Reader) (message []byte, err error) {
	message = make([]byte, 0, 512)
	for {
		if len(message) == cap(message) {
			size := 2 * cap(message)
			if size > smallMessage && !c.reading.Reserve(&c.incoming, size-int(c.incoming.Load()), c.limit) {
				c.Close(rpc.CloseSlow, "too much is being received: come back")
				return nil, errCrowded
			}
			message = append(make([]byte, 0, size), message...)
		}
		n, err := r.Read(message[len(message):cap(message)])
		message = message[:len(message)+n]
		if errors.Is(err, io.EOF) {
			return message, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// closeFor begins to close with the code for what was found wrong with a frame.
func (c *Conn) closeFor(err error) {
	switch {
	case errors.Is(err, errCloseByte):
		c.Close(websocket.CloseProtocolError, "a close frame needs two bytes of code or none")
	case errors.Is(err, errForm):
		c.Close(websocket.CloseProtocolError, "a length takes as few bytes as it can")
	case errors.Is(err, errLength), errors.Is(err, websocket.ErrReadLimit):
		c.Close(websocket.CloseMessageTooBig, "the frame is too large")
	}
}

// armMessage bounds the time of the message that is being read; 0: none is.
func (c *Conn) armMessage(d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closing:
		return nil // linger has set the deadline
	case d == 0:
		return c.net.SetReadDeadline(time.Time{})
	default:
		return c.net.SetReadDeadline(time.Now().Add(d))
	}
}
