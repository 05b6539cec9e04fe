package tests

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

func onceParams(n int) map[string]any {
	return map[string]any{"channel": fmt.Sprint("once", n%onceChannels), "user": "shop", "body": "x", "id": fmt.Sprint("b", n), "retry": true}
}

// publish sends one batch to an API.
func (d *doors) publish(ctx context.Context, api string, from, to int) error {
	var batch bytes.Buffer
	for n := from; n < to; n++ {
		batch.WriteString(map[bool]string{true: "[", false: ","}[n == from] + requestText(n, rpc.MethodPublish, onceParams(n)))
	}
	batch.WriteString("]")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+api+"/v1/rpc", &batch)
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+d.key)
	r.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var answers []response
	if err := json.Unmarshal(text, &answers); err != nil {
		return fmt.Errorf("%s: %.200s", res.Status, text)
	}
	for _, a := range answers {
		if a.Error != nil {
			return a.Error
		}
	}
	if len(answers) != to-from {
		return fmt.Errorf("%d answers to %d requests", len(answers), to-from)
	}
	return nil
}

// command writes the same as commands.
func (d *doors) command(ctx context.Context, from, to int) error {
	for n := from; n < to; n++ {
		value, err := json.Marshal(map[string]any{"method": rpc.MethodPublish, "params": onceParams(n)})
		if err != nil {
			return err
		}
		if _, err := d.commands.ProduceSync(ctx, n%schema.LaptopPartitions, eventlog.Record{Value: value}); err != nil {
			return err
		}
	}
	return nil
}

// client sends its share of messages through one connector, the other one and the
// first again.
func (d *doors) client(ctx context.Context, u int) error {
	var own []int
	for n := u; n < *onceMessages; n += onceUsers {
		own = append(own, n)
	}
	var at atomic.Pointer[client.Client]
	defer func() {
		if c := at.Load(); c != nil {
			c.Cut()
		}
	}()
	for way := range 3 {
		if err := d.awaitKills(ctx, way); err != nil {
			return err
		}
		url := d.roles.urls[(u+way)%len(d.roles.urls)]
		if c := at.Swap(nil); c != nil {
			c.Cut()
		}
		for from := 0; from < len(own); from += onceBatch {
			batch := own[from:min(from+onceBatch, len(own))]
			err := again(ctx, func(ctx context.Context) error {
				if at.Load() == nil {
					c, err := enterOnce(ctx, url, u)
					if err != nil {
						return err
					}
					at.Store(c)
				}
				err := chatAll(ctx, at.Load(), u, batch)
				if err != nil {
					at.Swap(nil).Cut()
				}
				return err
			})
			if err != nil {
				return fmt.Errorf("user %d: %w", u, err)
			}
			d.sent.Add(int64(len(batch)))
		}
	}
	return nil
}

func onceRoom(u int) string { return fmt.Sprint("room", u) }

// enterOnce begins a session in the user's channel.
func enterOnce(ctx context.Context, url string, u int) (*client.Client, error) {
	c, _, err := client.Enter(ctx, url, fmt.Sprint("user", u))
	if err != nil {
		return nil, err
	}
	if err := c.Call(ctx, rpc.MethodJoin, rpc.JoinParams{Channel: onceRoom(u)}, nil); err != nil {
		c.Cut()
		return nil, err
	}
	return c, nil
}

// chatAll sends messages in one go.
func chatAll(ctx context.Context, c *client.Client, u int, batch []int) error {
	var waits []func(context.Context, any) error
	for _, n := range batch {
		wait, err := c.Start(rpc.MethodChat, rpc.ChatParams{Channel: onceRoom(u), Body: "x", ID: fmt.Sprint("c", n), Retry: true})
		if err != nil {
			return err
		}
		waits = append(waits, wait)
	}
	for _, wait := range waits {
		if err := wait(ctx, nil); err != nil {
			return err
		}
	}
	return nil
}
