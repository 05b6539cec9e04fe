package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// pomelo is the wire of pomelo's clients: packages in binary frames.
var pomelo = wire{
	chat: func(r *raw, _ string) error {
		return r.write(0x2, request(2, "chat.chatHandler.send", `{"content":"`+stamped(bodySize)+`","target":"*"}`))
	},
	push: []byte("onChat"), body: []byte(`"msg":"`),
}

// Kinds of packages.
const (
	ofHandshake = "\x01"
	ofAck       = "\x02"
	ofHeartbeat = "\x03"
	ofData      = "\x04"
)

func packed(kind, body string) string {
	n := len(body)
	return kind + string([]byte{byte(n >> 16), byte(n >> 8), byte(n)}) + body
}

func request(id byte, route, body string) string {
	return packed(ofData, string([]byte{0, id, byte(len(route))})+route+body)
}

// enterPomelo enters a room as a client of pomelo does.
func enterPomelo(addr, user, room string) (*raw, error) {
	r, err := dialFrom("", addr)
	if err != nil {
		return nil, err
	}
	err = r.pomeloCall(packed(ofHandshake, `{"sys":{"type":"js-websocket","version":"0.0.1"}}`), ofHandshake, `"code":200`)
	if err == nil {
		err = r.write(0x2, packed(ofAck, ""))
	}
	if err == nil {
		err = r.pomeloCall(request(1, "connector.entryHandler.enter", fmt.Sprintf(`{"username":%q,"rid":%q}`, user, room)), ofData, `"users":[`)
	}
	if err != nil {
		_ = r.conn.Close()
		return nil, err
	}
	return r, nil
}

// pomeloCall sends a package and reads up to one of a kind with a text in it.
func (r *raw) pomeloCall(p, kind, text string) error {
	if err := r.write(0x2, p); err != nil {
		return err
	}
	for {
		frame, err := r.next()
		if err != nil {
			return err
		}
		switch got := string(frame); {
		case !strings.HasPrefix(got, kind):
		case strings.Contains(got, text):
			return nil
		case strings.Contains(got, `"code":`):
			return errors.New(got[4:])
		}
	}
}

// beat says that the client is there until it no longer is, or ctx ends.
func (r *raw) beat(ctx context.Context) {
	for ctx.Err() == nil && r.write(0x2, packed(ofHeartbeat, "")) == nil {
		select {
		case <-time.After(10 * time.Second):
		case <-ctx.Done():
		}
	}
}

// openPomelo is a hall of members who speak pomelo's wire.
func openPomelo(ctx context.Context, addr, channel string, members int, cpu func() time.Duration) (*hall, error) {
	return openHall(pomelo, channel, members, cpu, func(user, channel string) (*raw, error) {
		r, err := enterPomelo(addr, user, channel)
		if err == nil {
			go r.beat(ctx)
		}
		return r, err
	})
}

// pomelo: fan-out to members who speak pomelo's wire, in turns with members who speak
// Parley's own, and, if peer is a folder with pomelo's application, with pomelo itself.
func (b *bench) pomelo(ctx context.Context, members int, peer string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	theirs, err := openPomelo(ctx, b.pomeloAddr, "pomelo", members, b.cpu)
	if err != nil {
		return err
	}
	defer theirs.close()
	own, err := openHall(jsonRPC, "own", members, b.cpu, b.enter)
	if err != nil {
		return err
	}
	defer own.close()
	const rate, turns = 500, 5
	var cpu, late []float64
	for range turns {
		a, o := theirs.at(ctx, rate), own.at(ctx, rate)
		if !a.complete || !o.complete {
			return fmt.Errorf("messages are missing: %s; %s", a, o)
		}
		cpu, late = append(cpu, a.cpu/o.cpu), append(late, float64(a.p50)/float64(o.p50))
	}
	b.row(fmt.Sprintf("fan-out to %d members of pomelo's wire at %d messages/s, to as many of Parley's", members, rate),
		"%.2f times the CPU, %.2f times the p50 (goal ≤ 1.10; medians of %d turns)", median(cpu), median(late), turns)
	if peer == "" {
		return nil
	}
	return b.pomeloPeer(ctx, members, peer, theirs)
}

// pomeloPeer measures pomelo itself, in turns with Parley.
func (b *bench) pomeloPeer(ctx context.Context, members int, folder string, own *hall) error {
	master, stop, err := startPomelo(ctx, folder)
	if err != nil {
		return err
	}
	defer stop()
	peer, err := openPomelo(ctx, pomeloConnector, "peer", members, func() time.Duration { return familyCPU(master) })
	if err != nil {
		return err
	}
	defer peer.close()
	for range 3 {
		for name, h := range map[string]*hall{"pomelo 2.2.7": peer, "Parley": own} {
			first, best := h.highest(ctx, 40, 60)
			b.row(fmt.Sprintf("%s, %d members at %d messages/s", name, members, first.rate), "%s", first)
			b.row(fmt.Sprintf("%s, %d members, highest rate with p99 ≤ 250 ms", name, members), "%s", best)
			time.Sleep(5 * time.Second) // for what is still queued
		}
	}
	return nil
}

// pomeloConnector is where the application's configuration has its connector.
const pomeloConnector = "127.0.0.1:3050"

// startPomelo starts the application, whose packages are installed in its folder.
func startPomelo(ctx context.Context, folder string) (pid int, stop func(), err error) {
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "pomelo")); err != nil {
		return 0, nil, fmt.Errorf("pomelo is not installed, run `npm install` in %s: %w", folder, err)
	}
	cmd := exec.CommandContext(ctx, "node", "app.js", "env=production")
	cmd.Dir, cmd.Stderr = folder, os.Stderr
	if err := cmd.Start(); err != nil {
		return 0, nil, err
	}
	pid = cmd.Process.Pid
	stop = func() {
		for _, child := range append(children(pid), pid) {
			_ = syscall.Kill(child, syscall.SIGKILL)
		}
		_ = cmd.Wait()
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		conn, err := net.DialTimeout("tcp", pomeloConnector, time.Second)
		if err == nil {
			_ = conn.Close()
			time.Sleep(3 * time.Second) // until its servers know each other
			return pid, stop, nil
		}
		if ctx.Err() != nil || time.Now().After(deadline) {
			stop()
			return 0, nil, fmt.Errorf("pomelo does not listen: %w", err)
		}
	}
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
