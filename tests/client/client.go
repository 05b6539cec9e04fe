// Package client is a small client of Parley's protocol, for tests and load:
// it does nothing on its own but match responses and keep pushes in order.
package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/schema/rpc"
)

// Push is one notification of the server.
type Push struct {
	Method string
	Params json.RawMessage
}

// Chat reads the push as a message.
func (p Push) Chat() rpc.ChatPush {
	var c rpc.ChatPush
	_ = json.Unmarshal(p.Params, &c)
	return c
}

// Seq is the position that the push carries; 0 for none.
func (p Push) Seq() int64 {
	var s struct{ Seq int64 }
	_ = json.Unmarshal(p.Params, &s)
	return s.Seq
}

// Channel is the channel of the push; "" for none.
func (p Push) Channel() string {
	var s struct{ Channel string }
	_ = json.Unmarshal(p.Params, &s)
	return s.Channel
}

// Client is one connection. Its methods may be called concurrently, but for
// Next.
type Client struct {
	ws     *websocket.Conn
	writes sync.Mutex

	mu      sync.Mutex
	next    int
	pending map[string]func(response, error)
	onPush  func(Push) // nil: they wait for Next
	pushes  []Push
	arrived chan struct{} // closed and replaced when a push arrives
	err     error
	done    chan struct{}
}

type response struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *rpc.Error      `json:"error"`
}

// Dial connects to a connector's /ws.
func Dial(ctx context.Context, url string, header http.Header) (*Client, error) {
	return DialObserved(ctx, url, header, nil)
}

// DialObserved is Dial, and gives every push to onPush on the goroutine that
// reads, in the order of arrival with the answers that Go gives. Next never
// returns one then.
func DialObserved(ctx context.Context, url string, header http.Header, onPush func(Push)) (*Client, error) {
	ws, _, err := websocket.DefaultDialer.DialContext(ctx, url, header)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", url, err)
	}
	c := &Client{ws: ws, pending: map[string]func(response, error){}, onPush: onPush, arrived: make(chan struct{}), done: make(chan struct{})}
	go c.read()
	return c, nil
}

// Enter connects and sends hello as user.
func Enter(ctx context.Context, url, user string) (*Client, rpc.HelloResult, error) {
	c, err := Dial(ctx, url, nil)
	if err != nil {
		return nil, rpc.HelloResult{}, err
	}
	var h rpc.HelloResult
	if err := c.Call(ctx, rpc.MethodHello, rpc.HelloParams{User: user}, &h); err != nil {
		c.Cut()
		return nil, h, err
	}
	return c, h, nil
}

func (c *Client) read() {
	defer close(c.done)
	for {
		_, frame, err := c.ws.ReadMessage()
		if err != nil {
			c.fail(err)
			return
		}
		var r response
		if err := json.Unmarshal(frame, &r); err != nil {
			c.fail(fmt.Errorf("the server sent %q: %w", frame, err))
			return
		}
		c.take(r)
	}
}

func (c *Client) take(r response) {
	if r.Method == "" {
		if answer := c.claim(string(r.ID)); answer != nil {
			answer(r, nil)
		}
		return
	}
	if c.onPush != nil {
		c.onPush(Push{r.Method, r.Params})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pushes = append(c.pushes, Push{r.Method, r.Params})
	close(c.arrived)
	c.arrived = make(chan struct{})
}

// claim takes what waits for the answer to a request.
func (c *Client) claim(id string) func(response, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	answer := c.pending[id]
	delete(c.pending, id)
	return answer
}

func (c *Client) fail(err error) {
	c.mu.Lock()
	c.err = err
	pending := c.pending
	c.pending = map[string]func(response, error){}
	close(c.arrived)
	c.arrived = make(chan struct{})
	c.mu.Unlock()
	for _, answer := range pending {
		answer(response{}, err)
	}
}

// Call sends a request and waits for its result; the error may be an
// *rpc.Error. result may be nil.
func (c *Client) Call(ctx context.Context, method string, params, result any) error {
	answer, err := c.Start(method, params)
	if err != nil {
		return err
	}
	return answer(ctx, result)
}

// Start sends a request and returns what waits for its result.
func (c *Client) Start(method string, params any) (func(ctx context.Context, result any) error, error) {
	type outcome struct {
		result json.RawMessage
		err    error
	}
	answer := make(chan outcome, 1)
	if err := c.Go(method, params, func(result json.RawMessage, err error) { answer <- outcome{result, err} }); err != nil {
		return nil, err
	}
	return func(ctx context.Context, result any) error {
		select {
		case o := <-answer:
			if o.err != nil || result == nil {
				return o.err
			}
			return json.Unmarshal(o.result, result)
		case <-ctx.Done():
			return ctx.Err()
		}
	}, nil
}

// Go sends a request. Unless it returns an error, done is called once, on the
// goroutine that reads: with the result, an *rpc.Error, or why the connection
// ended before the answer. It must not wait.
func (c *Client) Go(method string, params any, done func(result json.RawMessage, err error)) error {
	encoded, err := json.Marshal(params)
	if err != nil {
		return err
	}
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return c.err
	}
	c.next++
	id := fmt.Sprint(c.next)
	c.pending[id] = func(r response, err error) {
		if err == nil && r.Error != nil {
			err = r.Error
		}
		done(r.Result, err)
	}
	c.mu.Unlock()
	if err := c.Send(fmt.Appendf(nil, `{"jsonrpc":"2.0","id":%s,"method":%q,"params":%s}`, id, method, encoded)); err != nil && c.claim(id) != nil {
		return err
	}
	return nil
}

// Send writes a text frame as it is.
func (c *Client) Send(frame []byte) error { return c.write(websocket.TextMessage, frame) }

func (c *Client) write(kind int, frame []byte) error {
	c.writes.Lock()
	defer c.writes.Unlock()
	return c.ws.WriteMessage(kind, frame)
}

// Next waits for the next push.
func (c *Client) Next(ctx context.Context) (Push, error) {
	for {
		c.mu.Lock()
		if len(c.pushes) > 0 {
			p := c.pushes[0]
			c.pushes = c.pushes[1:]
			c.mu.Unlock()
			return p, nil
		}
		arrived, err := c.arrived, c.err
		c.mu.Unlock()
		if err != nil {
			return Push{}, err
		}
		select {
		case <-arrived:
		case <-ctx.Done():
			return Push{}, ctx.Err()
		}
	}
}

// NextChat waits for the next chat push, skipping others.
func (c *Client) NextChat(ctx context.Context) (rpc.ChatPush, error) {
	for {
		p, err := c.Next(ctx)
		if err != nil || p.Method == rpc.PushChat {
			return p.Chat(), err
		}
	}
}

// Err is why the connection ended; nil while it lasts.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Ended waits until the server has ended the connection and returns its close
// code; 1006 where it sent none.
func (c *Client) Ended(ctx context.Context) (int, error) {
	select {
	case <-c.done:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	var closed *websocket.CloseError
	if errors.As(c.Err(), &closed) {
		return closed.Code, nil
	}
	return websocket.CloseAbnormalClosure, nil
}

// Cut ends the connection without a close frame.
func (c *Client) Cut() {
	_ = c.ws.NetConn().Close()
	<-c.done
}

// Close ends the connection with that code and waits for the server's answer.
func (c *Client) Close(code int) {
	c.writes.Lock()
	err := c.ws.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""))
	c.writes.Unlock()
	if err != nil {
		_ = c.ws.Close()
	}
	<-c.done
	_ = c.ws.Close()
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }
