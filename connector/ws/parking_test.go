package ws

import (
	"bytes"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/wstest"
	"github.com/parley-chat/parley/schema/rpc"
)

// parkingLot is a server that echoes, and what it knows of its connections.
type parkingLot struct {
	t    *testing.T
	addr string

	mu    sync.Mutex
	conns []*Conn
	ended int
}

func newParkingLot(t *testing.T) *parkingLot {
	t.Helper()
	if !canPoll {
		t.Skip("nothing is parked on this system, or with this build tag")
	}
	p := &parkingLot{t: t}
	p.addr = serving(t, nil, func(c *Conn) {
		p.mu.Lock()
		p.conns = append(p.conns, c)
		p.mu.Unlock()
		echo(c, func() {
			p.mu.Lock()
			p.ended++
			p.mu.Unlock()
		})
	})
	return p
}

// open opens connections.
func (p *parkingLot) open(n int) []net.Conn {
	p.t.Helper()
	all := make([]net.Conn, n)
	for i := range all {
		c, err := net.Dial("tcp", p.addr)
		if err != nil {
			p.t.Fatal(err)
		}
		p.t.Cleanup(func() { _ = c.Close() })
		wstest.Upgrade(p.t, c)
		all[i] = c
	}
	return all
}

// parked waits until so many connections are parked.
func (p *parkingLot) parked(want int) {
	p.t.Helper()
	await.That(p.t, fmt.Sprint(want, " are parked"), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return want == 0 && len(p.conns) == 0 || len(p.conns) > 0 && p.conns[0].parking.Count() == want
	})
}

// answers sends bytes and wants these texts back.
func answers(t *testing.T, c net.Conn, send string, want ...string) {
	t.Helper()
	if _, err := c.Write([]byte(send)); err != nil {
		t.Fatal(err)
	}
	hears(t, c, want...)
}

func hears(t *testing.T, c net.Conn, want ...string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(time.Minute))
	for _, text := range want {
		f, err := wstest.Read(c)
		if err != nil || string(f.Payload) != text {
			t.Fatalf("heard %q, %v, want %q", f.Payload, err, text)
		}
	}
}

// Connections from which nothing comes have no goroutine, and none is left of what
// watched them when they are gone. All that wake at once are answered, and parked again.
func TestParkedConnectionsHaveNoGoroutine(t *testing.T) {
	const n = 400
	p := newParkingLot(t)
	before := runtime.NumGoroutine()
	all := p.open(n)
	for range 3 {
		p.parked(n)
		await.That(t, "their goroutines have ended", func() bool { return runtime.NumGoroutine() < before+n/4 })
		var work sync.WaitGroup
		for i, c := range all {
			work.Go(func() { answers(t, c, frame(fin|text, fmt.Sprint(i)), fmt.Sprint(i)) })
		}
		work.Wait()
	}
	for _, c := range all {
		_ = c.Close()
	}
	await.That(t, "all have ended", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.ended == n
	})
	p.parked(0)
	p.conns[0].parking.Wait()
}

// What wakes a connection is read as if it had never been parked: frames that come
// together, in pieces, and pings and pongs among them.
func TestWhatWakesIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		send []string // with a moment in between
		want []string
	}{
		"a message":               {[]string{frame(fin|text, "one")}, []string{"one"}},
		"two together":            {[]string{frame(fin|text, "one") + frame(fin|text, "two")}, []string{"one", "two"}},
		"one and a half":          {[]string{frame(fin|text, "one") + frame(fin|text, "two")[:4], frame(fin|text, "two")[4:]}, []string{"one", "two"}},
		"a ping":                  {[]string{frame(fin|ping, "p")}, []string{"p"}},
		"a ping, then a message":  {[]string{frame(fin|ping, "p") + frame(fin|text, "one")}, []string{"p", "one"}},
		"a masked ping":           {[]string{"\x89\x82\x01\x02\x03\x04" + string([]byte{'o' ^ 1, 'k' ^ 2})}, []string{"ok"}},
		"half a ping":             {[]string{frame(fin|ping, "ping")[:7], frame(fin|ping, "ping")[7:] + frame(fin|text, "one")}, []string{"ping", "one"}},
		"a pong nobody asked for": {[]string{frame(fin|pong, "p") + frame(fin|text, "one")}, []string{"one"}},
		"a ping within a message": {[]string{frame(text, "o") + frame(fin|ping, "p"), frame(fin, "ne")}, []string{"p", "one"}},
		"a long one":              {[]string{frame(fin|text, strings.Repeat("x", 30_000))}, []string{strings.Repeat("x", 30_000)}},
		"a long one and more":     {[]string{frame(fin|text, strings.Repeat("x", 1000)) + strings.Repeat(frame(fin|text, "y"), 3)}, []string{strings.Repeat("x", 1000), "y", "y", "y"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParkingLot(t)
			client := p.open(1)[0]
			p.parked(1)
			for _, part := range c.send[:len(c.send)-1] {
				if _, err := client.Write([]byte(part)); err != nil {
					t.Fatal(err)
				}
				p.parked(0)
				time.Sleep(10 * time.Millisecond)
			}
			answers(t, client, c.send[len(c.send)-1], c.want...)
			p.parked(1)
		})
	}
}

// A client that sends a byte now and then is not parked while a frame is under way.
func TestHalfFramesAreNotParked(t *testing.T) {
	t.Parallel()
	p := newParkingLot(t)
	client := p.open(1)[0]
	p.parked(1)
	whole := []byte(frame(fin|text, "slow"))
	for _, b := range whole[:len(whole)-1] {
		if _, err := client.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		p.parked(0)
		for range 50 {
			if p.conns[0].parking.Count() != 0 {
				t.Fatal("half a frame is parked")
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	answers(t, client, string(whole[len(whole)-1:]), "slow")
	p.parked(1)
}

// A frame that came together with the one before has all of its time, however long that
// took: reading waits while a client does not take its answers.
func TestWhatWaitsHasItsOwnTime(t *testing.T) {
	if !canPoll {
		t.Skip("there is no time of a message between messages, on this system or with this build tag")
	}
	whole := frame(fin|text, "two")
	for name, rest := range map[string]struct{ first, last string }{
		"half a message":            {whole[:4], whole[4:]},
		"half a ping":               {frame(fin|ping, "two")[:3], frame(fin|ping, "two")[3:]},
		"a ping and half a message": {frame(fin|pong, "") + whole[:4], whole[4:]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := net.Dial("tcp", serving(t, nil, func(c *Conn) {
				echoAfter(c, func() { _ = c.net.SetReadDeadline(time.Now()) }, func() {}) // as if it took the time of a message
			}))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			wstest.Upgrade(t, client)
			answers(t, client, frame(fin|text, "one")+rest.first, "one")
			answers(t, client, rest.last, "two")
		})
	}
}

// A parked connection that this side closes hears the code; one that is cut ends, and so
// does one whose client is gone.
func TestParkedConnectionsEnd(t *testing.T) {
	for name, end := range map[string]func(c *Conn, client net.Conn){
		"closed":        func(c *Conn, _ net.Conn) { c.Close(4000, "enough") },
		"dismissed":     func(c *Conn, _ net.Conn) { c.Dismiss(4000, "enough") },
		"cut":           func(c *Conn, _ net.Conn) { c.Abort() },
		"gone":          func(_ *Conn, client net.Conn) { _ = client.Close() },
		"a close frame": func(_ *Conn, client net.Conn) { _, _ = client.Write([]byte(frame(fin|opClose, "\x03\xe8"))) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParkingLot(t)
			client := p.open(1)[0]
			p.parked(1)
			end(p.conns[0], client)
			if name == "closed" || name == "dismissed" {
				_ = client.SetReadDeadline(time.Now().Add(time.Minute))
				if f, err := wstest.Read(client); err != nil || f.Code() != 4000 {
					t.Errorf("the client heard %v, %v", f, err)
				}
			}
			_ = client.SetReadDeadline(time.Now().Add(time.Minute))
			var rest bytes.Buffer
			_, _ = rest.ReadFrom(client)
			_ = client.Close()
			await.That(t, "it has ended", func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.ended == 1
			})
			p.parked(0)
		})
	}
}

// What is wrong with the first that comes from a parked connection is found as at any
// other time.
func TestBadFramesOfParkedConnections(t *testing.T) {
	for name, c := range map[string]struct {
		send string
		code int
	}{
		"a reserved opcode":              {frame(fin|0x7, "?"), 1002},
		"a ping of 126 bytes":            {frame(fin|ping, strings.Repeat("x", 126)), 1002},
		"a ping in pieces":               {frame(ping, "p"), 1002},
		"a ping that is not masked":      {"\x89\x01p", 1002},
		"a pong with a reserved bit":     {frame(fin|0x40|pong, "p"), 1002},
		"a text that is not masked":      {"\x81\x01x", 1002},
		"a continuation of nothing":      {frame(fin|cont, "x"), 1002},
		"a length longer than it takes":  {"\x81\xfe\x00\x01\x00\x00\x00\x00x", 1002},
		"a close frame of one byte":      {frame(fin|opClose, "x"), 1002},
		"a request of HTTP":              {"GET / HTTP/1.1\r\n\r\n", 1002},
		"a greeting of TLS":              {"\x16\x03\x01\x00\xa5\x01\x00\x00", 1002},
		"binary":                         {frame(fin|bin, "x"), 1003},
		"text that is not UTF-8":         {frame(fin|text, "\xff"), 1007},
		"a length of 2^63":               {"\x81\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1009},
		"a message that is too large":    {frame(fin|text, strings.Repeat("x", 64<<10+1)), 1009},
		"too many pings":                 {strings.Repeat(frame(fin|ping, ""), 2*pingBurst), rpc.CloseMisuse},
		"a good ping, then a bad frame":  {frame(fin|ping, "p") + frame(fin|0x7, "?"), 1002},
		"a good pong, then a bad length": {frame(fin|pong, "p") + "\x81\xfe\x00\x01\x00\x00\x00\x00x", 1002},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newParkingLot(t)
			client := p.open(1)[0]
			p.parked(1)
			_, _ = client.Write([]byte(c.send)) // the rest is of no interest to one who closes
			_ = client.SetReadDeadline(time.Now().Add(time.Minute))
			for {
				f, err := wstest.Read(client)
				if err != nil {
					t.Fatal(err)
				}
				if f.First&0x0f == opClose {
					if f.Code() != c.code {
						t.Errorf("closed with %d, want %d", f.Code(), c.code)
					}
					break
				}
			}
			_ = client.Close()
			await.That(t, "it has ended", func() bool {
				p.mu.Lock()
				defer p.mu.Unlock()
				return p.ended == 1
			})
			p.parked(0)
		})
	}
}

// File descriptors are used again while others wake: nobody is woken for another one, and
// none is left asleep.
func TestParkingWithFewDescriptors(t *testing.T) {
	p := newParkingLot(t)
	var work sync.WaitGroup
	for i := range 16 {
		work.Go(func() {
			for j := range 20 {
				c, err := net.Dial("tcp", p.addr)
				if err != nil {
					t.Error(err)
					return
				}
				wstest.Upgrade(t, c)
				if (i+j)%8 == 0 {
					time.Sleep(parkAfter + 5*time.Millisecond)
				}
				answers(t, c, frame(fin|text, fmt.Sprint(i, j)), fmt.Sprint(i, j))
				_ = c.Close()
			}
		})
	}
	work.Wait()
	await.That(t, "all have ended", func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.ended == 16*20
	})
	p.parked(0)
}
