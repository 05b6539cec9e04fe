package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/parley-chat/parley/internal/testing/freeport"
)

// centrifugo is the JSON protocol of Centrifugo: a frame holds commands or pushes, one
// a line.
var centrifugo = wire{
	chat: func(r *raw, channel string) error {
		return r.send(`{"id":3,"publish":{"channel":"` + channel + `","data":"` + stamped(bodySize) + `"}}`)
	},
	push: []byte(`{"push":`), body: []byte(`"data":"`),
}

// enterCentrifugo connects and subscribes.
func enterCentrifugo(local, addr, channel string) (*raw, error) {
	r, err := dialPath(local, addr, "/connection/websocket")
	if err != nil {
		return nil, err
	}
	r.lines = true
	if err = r.ask(1, `"connect":{}`); err == nil {
		err = r.ask(2, `"subscribe":{"channel":"`+channel+`"}`)
	}
	if err != nil {
		_ = r.conn.Close()
		return nil, err
	}
	return r, nil
}

// ask sends a command of Centrifugo's and reads up to its reply.
func (r *raw) ask(id int, command string) error {
	if err := r.send(fmt.Sprintf(`{"id":%d,%s}`, id, command)); err != nil {
		return err
	}
	for {
		line, err := r.next()
		switch {
		case err != nil:
			return err
		case !bytes.HasPrefix(line, fmt.Appendf(nil, `{"id":%d,`, id)):
		case bytes.Contains(line, []byte(`"error":`)):
			return fmt.Errorf("%s is answered with %s", command, line)
		default:
			return nil
		}
	}
}

// startCentrifugo starts its binary as it is by default: in memory, without history,
// presence and join messages; or telling, so that members hear who joins and leaves, as
// those of ours do. Nobody needs a token, as with ours.
func startCentrifugo(ctx context.Context, binary, folder string, telling bool) (s *side, stop func(), err error) {
	addr, err := freeport.Address()
	if err != nil {
		return nil, nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, err
	}
	type values = map[string]any
	config, err := json.Marshal(values{
		"http_server": values{"address": host, "port": port},
		"client":      values{"insecure": true},
		"log":         values{"level": "error"},
		"channel":     values{"without_namespace": values{"join_leave": telling, "force_push_join_leave": telling}},
	})
	if err != nil {
		return nil, nil, err
	}
	name := "Centrifugo"
	if telling {
		name += " telling who comes"
	}
	file := filepath.Join(folder, name+".json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		return nil, nil, err
	}
	cmd := exec.CommandContext(ctx, binary, "--config", file)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	stop = func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	s = &side{name: name, wire: centrifugo, pid: cmd.Process.Pid, enter: func(local, _, channel string) (*raw, error) {
		return enterCentrifugo(local, addr, channel)
	}}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		r, err := s.enter("", "", "ready")
		if err == nil {
			_ = r.conn.Close()
			return s, stop, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			stop()
			return nil, nil, fmt.Errorf("%s is not ready: %w", binary, err)
		}
	}
}
