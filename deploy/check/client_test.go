package check

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// client is a session, by nothing but the documented protocol.
type client struct {
	t         *testing.T
	ws        *websocket.Conn
	connector string // of the session
	wrote     sync.Mutex

	mu      sync.Mutex
	answers map[string]chan frame
	next    int
	chats   []message // pushed, in order
	ended   chan struct{}
}

type frame struct {
	ID     json.RawMessage `json:"id"`
	Method string          `json:"method"`
	Params json.RawMessage `json:"params"`
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

type message struct {
	Seq   int64  `json:"seq"`
	Prev  int64  `json:"prev"`
	Body  string `json:"body"`
	Trace string `json:"trace"`
}

type joined struct {
	Epoch     string    `json:"epoch"`
	Seq       int64     `json:"seq"`
	Last      int64     `json:"last"`
	Recovered *bool     `json:"recovered"`
	Messages  []message `json:"messages"`
}

// dial opens a session at host:port, or says why it cannot.
func dial(t *testing.T, at, user string) (*client, error) {
	return dialWith(t, websocket.Dialer{HandshakeTimeout: patience}, "ws://"+at+"/ws", map[string]any{"user": user})
}

// dialWith is dial with these params of hello.
func dialWith(t *testing.T, dialer websocket.Dialer, url string, params map[string]any) (*client, error) {
	ws, res, err := dialer.Dial(url, nil)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	c := &client{t: t, ws: ws, answers: map[string]chan frame{}, ended: make(chan struct{})}
	go c.read()
	var hello struct {
		Connector string `json:"connector"`
	}
	if err := c.call("hello", params, &hello); err != nil {
		c.close()
		return nil, err
	}
	c.connector = hello.Connector
	t.Cleanup(c.close)
	return c, nil
}

// enter waits until a session can be opened.
func enter(t *testing.T, at, user string) (c *client) {
	t.Helper()
	eventually(t, user+" enters at "+at, func() bool {
		var err error
		c, err = dial(t, at, user)
		return err == nil
	})
	return c
}

func (c *client) close() {
	_ = c.ws.Close() // it may be closed
	<-c.ended
}

func (c *client) read() {
	defer close(c.ended)
	for {
		var f frame
		if err := c.ws.ReadJSON(&f); err != nil {
			return
		}
		c.mu.Lock()
		if f.Method == "chat" {
			var m message
			if json.Unmarshal(f.Params, &m) == nil {
				c.chats = append(c.chats, m)
			}
		} else if waits := c.answers[string(f.ID)]; waits != nil {
			waits <- f
		}
		c.mu.Unlock()
	}
}

// call asks and waits for the answer; result may be nil.
func (c *client) call(method string, params, result any) error {
	answer := make(chan frame, 1)
	c.mu.Lock()
	c.next++
	id := strconv.Itoa(c.next)
	c.answers[id] = answer
	c.mu.Unlock()
	c.wrote.Lock()
	err := c.ws.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": c.next, "method": method, "params": params})
	c.wrote.Unlock()
	if err != nil {
		return err
	}
	select {
	case f := <-answer:
		if f.Error != nil {
			return fmt.Errorf("%s: %d %s", method, f.Error.Code, f.Error.Message)
		}
		if result == nil {
			return nil
		}
		return json.Unmarshal(f.Result, result)
	case <-c.ended:
		return fmt.Errorf("%s: the connection ended", method)
	case <-time.After(patience):
		return fmt.Errorf("%s: no answer", method)
	}
}

// join joins a channel; since and epoch recover when since is above 0.
func (c *client) join(channel string, since int64, epoch string) (r joined) {
	c.t.Helper()
	params := map[string]any{"channel": channel}
	if since > 0 {
		params["since"], params["epoch"] = since, epoch
	}
	eventually(c.t, "the join is answered", func() bool { return c.call("join", params, &r) == nil })
	return r
}

// chat sends a message until it is acknowledged, under one id: repeats are one
// message.
func (c *client) chat(channel, body string) {
	c.t.Helper()
	params := map[string]any{"channel": channel, "body": body, "id": "id-" + body}
	eventually(c.t, body+" is acknowledged", func() bool { return c.call("chat", params, nil) == nil })
}

// pushed returns the messages so far.
func (c *client) pushed() []message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]message(nil), c.chats...)
}
