package pomelo

import (
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/pomelotest"
	"github.com/parley-chat/parley/schema/rpc"
)

// The whole life of a connection, as it goes well.
func TestConnection(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.dial(framed)
		c.Send(pomelotest.Greeting(`"told"`))
		c.Expect(`1{"code":200,"sys":{"heartbeat":25},"user":{"told":"\ud83d\ude00"}}`)
		c.Send(pomelotest.Package(2, ""), pomelotest.Request(7, "a.b.c", `{"m":"😀"}`)) // without waiting
		c.Expect("3", "4\x04\x07"+`{"m":"\ud83d\ude00"}`)
		c.Send(pomelotest.Package(3, ""))
		c.Expect("3")
		conn := <-r.conns
		at := r.addr
		switch { // a WebSocket's request names localhost, without a port
		case framed && r.secure != nil:
			at = "localhost:443"
		case framed:
			at = "localhost:80"
		}
		if conn.Host() != at {
			t.Errorf("the client has connected to %s, not %s", conn.Host(), at)
		}
		conn.PushTo("onChat", text(`{"msg":"hi"}`))
		c.Expect("4\x06\x06onChat" + `{"msg":"hi"}`)
		c.Send(pomelotest.Package(4, "\x02\x03a.b{}"))
		if heard := <-r.heard; heard != "a.b{}" {
			t.Errorf("the notify is %q", heard)
		}
		_ = c.Close()
		if e := <-r.ended; e.Ours != 0 {
			t.Errorf("it ended with %+v", e)
		}
		await.That(t, "it counts as no plain connection", func() bool { return r.server.Plain() == 0 })
	})
}

// Packages over TCP may be cut anywhere.
func TestPackagesInPieces(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	c := r.dial(false)
	all := pomelotest.Greeting("") + pomelotest.Package(2, "") + pomelotest.Request(1, "a.b", `{"n":1}`) + pomelotest.Request(2, "a.b", `{"n":2}`)
	for i := range len(all) {
		c.Send(all[i : i+1])
	}
	c.Expect(`1{"code":200*`, "3", "4\x04\x01"+`{"n":1}`, "4\x04\x02"+`{"n":2}`)
	c.Send(strings.Repeat(pomelotest.Request(3, "a.b", "{}"), 50))
	for range 50 {
		c.Expect("4\x04\x03{}")
	}
}

// What does not fit the state is ignored, and nothing but the answer of the
// handshake is sent before the client has acknowledged that.
func TestStates(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.dial(framed)
		c.Send(pomelotest.Package(2, ""), pomelotest.Package(3, ""), pomelotest.Request(1, "a.b", "{}"), pomelotest.Greeting(""))
		c.Expect(`1{"code":200*`)
		conn := <-r.conns
		conn.PushTo("onChat", text("{}"))
		c.Send(pomelotest.Greeting(`"refused"`), pomelotest.Package(3, ""), pomelotest.Request(2, "a.b", "{}"), pomelotest.Package(2, ""))
		c.Expect("3")
		c.Send(pomelotest.Greeting(`"refused"`), pomelotest.Package(2, ""), pomelotest.Request(3, "a.b", "{}"))
		c.Expect("4\x04\x03{}")
	})
}

// A handshake that cannot be taken is refused, and the connection is closed.
func TestRefusedHandshakes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		for name, p := range map[string]string{
			"by the application": pomelotest.Greeting(`"refused"`), "empty": pomelotest.Package(1, ""), "no JSON": pomelotest.Package(1, "hello"), "null": pomelotest.Package(1, "null"), "an array": pomelotest.Package(1, "[1]"),
			"a number": pomelotest.Package(1, "1"), "a string": pomelotest.Package(1, `"sys"`), "without sys": pomelotest.Package(1, `{"user":{}}`), "sys is null": pomelotest.Package(1, `{"sys":null}`),
			"sys is a list": pomelotest.Package(1, `{"sys":[]}`), "sys is text": pomelotest.Package(1, `{"sys":"js-websocket"}`), "broken UTF-8": pomelotest.Package(1, `{"sys":{"type":"`+"\xff"+`"}}`),
			"half": pomelotest.Package(1, `{"sys":{`), "more after it": pomelotest.Package(1, `{"sys":{}} x`),
		} {
			c := r.dial(framed)
			c.Send(p)
			if got := c.Next(); got != `1{"code":500}` {
				t.Errorf("%s is answered %q", name, got)
			}
			if got := c.Next(); !strings.HasPrefix(got, "end") {
				t.Errorf("%s: then comes %q", name, got)
			}
			_ = c.Close()
		}
		// One that may come back is not told that it is refused.
		c := r.dial(framed)
		c.Send(pomelotest.Greeting(`"closed"`))
		if got := c.Next(); !strings.HasPrefix(got, "end") {
			t.Errorf("to one who is to come later comes %q", got)
		}
	})
}

// Clients with definitions of protobuf in their memory get new ones, which are
// empty; others none.
func TestStaleProtos(t *testing.T) {
	for version, stale := range map[string]bool{
		`0`: false, `""`: false, `"0"`: false, `null`: false, `"parley"`: false, `"2zWPnSlRsRxjqgcU215Uxg=="`: true, `1`: true, `{}`: true,
	} {
		h, ok := parseHandshake([]byte(`{"sys":{"type":"js-websocket","version":"0.0.1","protoVersion":` + version + `},"user":null}`))
		if !ok || h.Type != "js-websocket" || h.Version != "0.0.1" || h.User != nil {
			t.Fatalf("%+v, %v", h, ok)
		}
		got := string(appendAnswer(nil, h, HandshakeOK, Heartbeat, nil))
		want := `{"code":200,"sys":{"heartbeat":25}}`
		if stale {
			want = `{"code":200,"sys":{"heartbeat":25,"protos":{"server":{},"client":{},"version":"parley"}}}`
		}
		if got != want {
			t.Errorf("protoVersion %s is answered %s", version, got)
		}
	}
}

// Two sides that both answer heartbeats at once do not go on for ever.
func TestHeartbeatsAreAnsweredNowAndThen(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.work(framed)
		begun := time.Now()
		for range 100 {
			c.Send(pomelotest.Package(3, ""))
		}
		c.Send(pomelotest.Request(1, "a.b", "{}"))
		answers := 0
		for c.Next() == "3" {
			answers++
		}
		took := time.Since(begun).Seconds()
		if answers < heartbeatRate || float64(answers) > heartbeatRate*(took+2) {
			t.Errorf("100 heartbeats are answered with %d in %.1f s", answers, took)
		}
	})
}

// A connection that is closed says why, and whether to come back, where the client
// has made the handshake.
func TestKick(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.work(framed)
		c.Send(pomelotest.Request(1, "test.close", "{}"))
		c.Expect(`5{"reason":"shutting down \ud83d\ude00","reconnect":true,"parley":3001}`, "end*")
		_ = c.Close()
		if e := <-r.ended; e.Ours != rpc.CloseShutdown {
			t.Errorf("it ended with %+v", e)
		}
		<-r.conns
		c = r.work(framed)
		(<-r.conns).Close(rpc.CloseBadToken, "invalid token")
		c.Expect(`5{"reason":"invalid token","reconnect":false,"parley":3500}`, "end*")
		c = r.dial(framed)
		c.Send(pomelotest.Greeting(""))
		c.Expect("1*")
		(<-r.conns).Close(rpc.CloseShutdown, "shutting down")
		c.Expect("end*")
	})
}

// Who leaves in order is told apart from who is cut off.
func TestHowClientsLeave(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	for name, of := range map[string]struct {
		framed bool
		bytes  string // the last
		want   front.Ending
	}{
		"TCP":                        {false, "", front.Ending{Theirs: 1000, Clean: true}},
		"TCP within a package":       {false, "\x04\x00\x00", front.Ending{Theirs: 1006}},
		"TCP within a body":          {false, "\x04\x00\x00\x09\x00\x01", front.Ending{Theirs: 1006}},
		"a WebSocket without a code": {true, "\x88\x80\x00\x00\x00\x00", front.Ending{Theirs: 1005, Clean: true}},
		"a WebSocket with 1001":      {true, "\x88\x82\x00\x00\x00\x00\x03\xe9", front.Ending{Theirs: 1001, Clean: true}},
		"a WebSocket that is cut":    {true, "", front.Ending{Theirs: 1006}},
	} {
		c := r.work(of.framed)
		if _, err := c.Write([]byte(of.bytes)); err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
		if e := <-r.ended; e != of.want {
			t.Errorf("%s: %+v, want %+v", name, e, of.want)
		}
	}
}

// A connection whose handshake does not come is closed; one that has made it may
// be silent, over a WebSocket as long as it answers pings.
func TestSilence(t *testing.T) {
	t.Parallel()
	never := func(time.Time) bool { return false }
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		begun := time.Now()
		r.dial(framed).Send(pomelotest.Package(3, ""))
		conn := <-r.conns
		conn.Probe(begun.Add(handshakeTimeout-time.Second), time.Hour, time.Hour, never)
		if conn.Closing() {
			t.Error("closed before the time for the handshake is over")
		}
		conn.Probe(time.Now().Add(handshakeTimeout+time.Second), time.Hour, time.Hour, never)
		if code := conn.ClosedWith(); code != rpc.CloseNoHello {
			t.Errorf("without a handshake it is closed with %d", code)
		}

		c := r.work(framed)
		conn = <-r.conns
		now := time.Now()
		for range 3 { // while something comes
			c.Send(pomelotest.Request(1, "a.b", "{}"))
			c.Expect("4*")
			r.shared.Flushers.Await(time.Minute) // or a write would seem to take as long
			now = now.Add(silence - time.Second)
			conn.Probe(now, time.Hour, time.Hour, never)
		}
		conn.Probe(now.Add(silence-time.Second), time.Hour, time.Hour, never)
		if conn.Closing() {
			t.Error("closed though not silent for so long")
		}
		conn.Probe(now.Add(silence+time.Second), time.Hour, time.Hour, never)
		if want := map[bool]int{false: rpc.CloseNoPong, true: 0}[framed]; conn.ClosedWith() != want {
			t.Errorf("a silent one is closed with %d, want %d", conn.ClosedWith(), want)
		}
		if !framed {
			c.Expect(`5{"reason":"no sign of life","reconnect":true,"parley":3012}`, "end")
		}
	})
}

// A client that does not read is closed with a kick, and gets that when it reads
// on: whole packages, and no more than what was on its way.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.work(framed)
		conn := <-r.conns
		push := conn.Framing().AppendPush(nil, "onChat", text(`{"msg":"`+strings.Repeat("x", 10_000)+`"}`))
		sent, largest := 0, 0
		for ; !conn.Closing(); sent++ {
			conn.Send(push)
			if largest = max(largest, conn.Waiting()); sent > 10_000 {
				t.Fatal("it is never full")
			}
		}
		if largest > testQueue+len(push) {
			t.Errorf("%d bytes wait, of %d", largest, testQueue)
		}
		got := 0
		next := c.Next()
		for ; strings.HasPrefix(next, "4"); next = c.Next() {
			got++
		}
		if next != `5{"reason":"slow consumer: the outgoing queue was full","reconnect":true,"parley":3008}` || got >= sent {
			t.Errorf("after %d of %d pushes comes %q", got, sent, next)
		}
		c.Expect("end*")
		if e := <-r.ended; e.Ours != rpc.CloseSlow {
			t.Errorf("it ended with %+v", e)
		}
	})
}

// A client that asks for much and reads slowly gets all of it.
func TestAnswersWaitForRoom(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r *rig, framed bool) {
		c := r.work(framed)
		const asked = 1000
		go func() {
			for range asked {
				if _, err := c.Write(c.Bytes(pomelotest.Request(1, "a.b", `{"x":"`+strings.Repeat("x", 7000)+`"}`))); err != nil {
					return
				}
			}
		}()
		for range asked {
			c.Expect("4*")
		}
	})
}
