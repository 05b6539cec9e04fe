// Command go-bot tells the time to whoever writes "!time": the protocol alone,
// with an ordinary WebSocket library. Usage: go-bot [ws://host/ws] [channel]
package main

import (
	"log"
	"os"
	"time"

	"github.com/gorilla/websocket"
)

// frame is whatever the server sends: an answer or a push.
type frame struct {
	ID     int
	Method string
	Error  *struct{ Message string }
	Result struct{ Epoch string }
	Params struct {
		Seq        int64
		User, Body string
	}
}

func main() {
	args := append(os.Args[1:], []string{"ws://127.0.0.1:8080/ws", "lobby"}[min(len(os.Args)-1, 2):]...)
	for {
		log.Print(run(args[0], args[1]))
		time.Sleep(time.Second)
	}
}

// run serves one connection. Missed questions are not answered late, so every
// connection joins afresh; a bot that must see all joins with since and epoch.
func run(url, channel string) error {
	conn, _, err := websocket.DefaultDialer.Dial(url, nil) // answers pings by itself
	if err != nil {
		return err
	}
	defer conn.Close()
	id := 0
	call := func(method string, params map[string]any) {
		id++
		_ = conn.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": id, "method": method, "params": params})
	} // a failed write shows as a failed read
	call("hello", map[string]any{"user": "go-bot"})
	call("join", map[string]any{"channel": channel, "limit": 0})
	for {
		var f frame
		switch err := conn.ReadJSON(&f); {
		case err != nil:
			return err
		case f.Error != nil:
			log.Printf("request %d: %s", f.ID, f.Error.Message)
		case f.Method == "chat" && f.Params.Body == "!time":
			call("chat", map[string]any{"channel": channel, "body": "It is " + time.Now().UTC().Format(time.TimeOnly)})
		}
	}
}
