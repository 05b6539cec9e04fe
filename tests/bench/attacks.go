package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"time"
)

// attacker is one hostile client, with an address and a user of its own kind.
type attacker struct {
	crowd *crowd
	n     int
	kind  int
}

// attacks are what hostile clients do, each until it is thrown out or ctx ends;
// then it is done again. Their rates are several times what is allowed, but not
// all that a client can do: they run on the machine that is measured.
var attacks = []struct {
	name string
	do   func(*attacker, context.Context) error
}{
	{"read 640 bytes a second of pages", (*attacker).readSlowly},
	{"write a frame for minutes", (*attacker).writeSlowly},
	{"1,000 requests a second", (*attacker).floodRequests},
	{"200 tokens a second", (*attacker).floodTokens},
	{"200 joins and leaves a second", (*attacker).floodJoins},
	{"200 messages a second into a room", (*attacker).floodChats},
	{"1,000 pages of history pipelined", (*attacker).floodHistory},
	{"channels without a grant", (*attacker).tryForbidden},
	{"malformed frames", (*attacker).sendMalformed},
	{"frames of 1 MiB", (*attacker).sendHuge},
	{"connections without an end", (*attacker).storm},
	{"bad tokens", (*attacker).tryTokens},
	{"frames that are not masked", (*attacker).sendUnmasked},
	{"no hello", (*attacker).keepSilent},
	{"half heads of requests", (*attacker).sendHalfHead},
}

func (a *attacker) local() string { return fmt.Sprint("127.2.", a.kind, ".", 1+a.n%2) }
func (a *attacker) user() string  { return fmt.Sprint("hostile", a.n) }
func (a *attacker) room() string {
	return fmt.Sprint("room-", a.n%max(1, len(a.crowd.peers)/crowdRoom))
}

// attack does it again and again.
func (a *attacker) attack(ctx context.Context) {
	for ctx.Err() == nil {
		_ = attacks[a.kind].do(a, ctx)
		pause(ctx, 50*time.Millisecond+rand.N(100*time.Millisecond))
	}
}

// inside connects, and joins a room of the crowd; end closes the connection, as
// the end of ctx does.
func (a *attacker) inside(ctx context.Context) (r *raw, end func(), err error) {
	r, _, err = a.crowd.join(a.local(), a.user(), a.room())
	if err != nil {
		return nil, nil, err
	}
	return r, closing(ctx, r.conn), nil
}

func (a *attacker) outside(ctx context.Context) (r *raw, end func(), err error) {
	r, err = dialFrom(a.local(), a.crowd.addr)
	if err != nil {
		return nil, nil, err
	}
	return r, closing(ctx, r.conn), nil
}

func closing(ctx context.Context, c net.Conn) (end func()) {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	return func() { stop(); _ = c.Close() }
}

// send sends requests, so many every 50 ms, and reads what comes, until the
// connection ends.
func (a *attacker) send(ctx context.Context, many int, request func() (string, error)) error {
	r, end, err := a.inside(ctx)
	if err != nil {
		return err
	}
	defer end()
	go drain(r)
	for {
		for range many {
			text, err := request()
			if err == nil {
				err = r.send(text)
			}
			if err != nil {
				return err
			}
		}
		if pause(ctx, 50*time.Millisecond); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (a *attacker) request(method, params string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":3,"method":%q,"params":{%s}}`, method, params)
}

func (a *attacker) floodRequests(ctx context.Context) error {
	n := 0
	return a.send(ctx, 50, func() (string, error) {
		n++
		return a.request([]string{"members", "ping", "nothing"}[n%3], fmt.Sprintf(`"channel":%q`, a.room())), nil
	})
}

func (a *attacker) floodTokens(ctx context.Context) error {
	hello, err := a.crowd.tokens.hello(a.user())
	if err != nil {
		return err
	}
	return a.send(ctx, 10, func() (string, error) { return hello, nil })
}

func (a *attacker) floodJoins(ctx context.Context) error {
	n := 0
	return a.send(ctx, 10, func() (string, error) {
		n++
		return a.request([]string{"join", "leave"}[n%2], fmt.Sprintf(`"channel":"%s:%d"`, a.user(), n/2)), nil
	})
}

func (a *attacker) floodChats(ctx context.Context) error {
	return a.send(ctx, 10, func() (string, error) {
		return a.request("chat", fmt.Sprintf(`"channel":%q,"body":"%s"`, a.room(), strings.Repeat("!", 500))), nil
	})
}

func (a *attacker) floodHistory(ctx context.Context) error {
	return a.send(ctx, 1000, func() (string, error) {
		return a.request("history", fmt.Sprintf(`"channel":%q,"limit":300,"before":%d`, a.room(), 1+rand.IntN(1<<20))), nil
	})
}

func (a *attacker) tryForbidden(ctx context.Context) error {
	n := 0
	return a.send(ctx, 10, func() (string, error) {
		n++
		return a.request([]string{"join", "chat", "history", "members"}[n%4], fmt.Sprintf(`"channel":%q,"body":"let me in"`, forbidden)), nil
	})
}

func (a *attacker) sendMalformed(ctx context.Context) error {
	n := 0
	frames := []string{`{`, `[]`, `{"jsonrpc":"2.0","id":1}`, `{"jsonrpc":"2.0","id":1,"method":"join","params":[1]}`, strings.Repeat("[", 20_000)}
	return a.send(ctx, 5, func() (string, error) { n++; return frames[n%len(frames)], nil })
}

// sendHuge sends a body that is too long, which is refused, and then a frame
// that is, which ends the connection.
func (a *attacker) sendHuge(ctx context.Context) error {
	r, end, err := a.inside(ctx)
	if err != nil {
		return err
	}
	defer end()
	go drain(r)
	for range 10 {
		if err := r.send(a.request("chat", fmt.Sprintf(`"channel":%q,"body":"%s"`, a.room(), strings.Repeat("x", 60_000)))); err != nil {
			return err
		}
	}
	const announced = 1 << 20
	head := binary.BigEndian.AppendUint64([]byte{0x81, 0x80 | 127}, announced)
	_, err = r.conn.Write(append(append(head, 0, 0, 0, 0), make([]byte, announced)...))
	return errors.Join(err, pauseErr(ctx))
}

// readSlowly asks for more than it reads.
func (a *attacker) readSlowly(ctx context.Context) error {
	r, end, err := a.inside(ctx)
	if err != nil {
		return err
	}
	defer end()
	go func() {
		for r.send(a.request("history", fmt.Sprintf(`"channel":%q,"limit":300`, a.room()))) == nil && ctx.Err() == nil {
			pause(ctx, 20*time.Millisecond)
		}
	}()
	some := make([]byte, 64)
	for {
		if _, err := r.conn.Read(some); err != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
}

// writeSlowly sends a long frame byte by byte.
func (a *attacker) writeSlowly(ctx context.Context) error {
	r, end, err := a.inside(ctx)
	if err != nil {
		return err
	}
	defer end()
	go drain(r)
	head := binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, 65_000)
	if _, err := r.conn.Write(append(head, 0, 0, 0, 0)); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if _, err := r.conn.Write([]byte(" ")); err != nil {
			return err
		}
		pause(ctx, 100*time.Millisecond)
	}
	return ctx.Err()
}

// storm connects, and goes at once.
func (a *attacker) storm(ctx context.Context) error {
	for ctx.Err() == nil {
		r, err := dialFrom(a.local(), a.crowd.addr)
		if err == nil {
			_ = r.conn.Close()
		}
		pause(ctx, 20*time.Millisecond)
	}
	return ctx.Err()
}

func (a *attacker) tryTokens(ctx context.Context) error {
	good, err := a.crowd.tokens.token(a.user(), tokenLife)
	if err != nil {
		return err
	}
	old, err := a.crowd.tokens.token(a.user(), -time.Minute)
	if err != nil {
		return err
	}
	bad := []string{good[:len(good)-8] + "AAAAAAAA", old, "a.b.c", strings.Repeat("x", 9<<10), `eyJhbGciOiJub25lIn0.e30.`}
	r, end, err := a.outside(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := r.send(helloWith(bad[rand.IntN(len(bad))])); err != nil {
		return err
	}
	drain(r)
	return nil
}

func (a *attacker) sendUnmasked(ctx context.Context) error {
	r, end, err := a.outside(ctx)
	if err != nil {
		return err
	}
	defer end()
	if _, err := r.conn.Write([]byte{0x81, 2, '{', '}'}); err != nil {
		return err
	}
	drain(r)
	return nil
}

func (a *attacker) keepSilent(ctx context.Context) error {
	r, end, err := a.outside(ctx)
	if err != nil {
		return err
	}
	defer end()
	drain(r)
	return nil
}

func (a *attacker) sendHalfHead(ctx context.Context) error {
	c, err := dialTCP(a.local(), a.crowd.addr)
	if err != nil {
		return err
	}
	defer closing(ctx, c)()
	if _, err := io.WriteString(c, "GET /ws HTTP/1.1\r\nHost: x\r\nX-Long: "+strings.Repeat("x", 8000)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	return err
}

// pauseErr leaves the other side a moment to end the connection.
func pauseErr(ctx context.Context) error {
	pause(ctx, 100*time.Millisecond)
	return ctx.Err()
}
