package ws

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/wstest"
)

// echoing is a server with nothing above the connections but an echo, over TLS
// where secure is its configuration; it returns its address.
func echoing(t *testing.T, secure *tls.Config) string {
	t.Helper()
	return serving(t, secure, func(c *Conn) { echo(c, func() {}) })
}

// echo answers every message with itself. ended is called when the connection has.
func echo(c *Conn, ended func()) { echoAfter(c, func() {}, ended) }

// echoAfter is echo that does something before each answer.
func echoAfter(c *Conn, before, ended func()) {
	serve := func() {
		err := c.Read(func(message []byte) {
			before()
			c.Send(TextFrame(message))
		})
		if errors.Is(err, ErrParked) {
			return
		}
		c.Discard()
		ended()
	}
	c.Park(serve)
	serve()
}

// serving is a server that hands each connection to serve.
func serving(t *testing.T, secure *tls.Config, serve func(*Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	upgrader, flushers, parking := NewUpgrader("", time.Minute), NewFlushers(), new(Parking)
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := upgrader.Upgrade(w, r, Options{Message: 64 << 10, Queue: 4 << 20, Flushers: flushers, Parking: parking})
		if err != nil {
			return
		}
		serve(c)
	})}
	go func() { _ = server.Serve(Listener{Listener: l, TLS: secure}) }()
	t.Cleanup(func() { _ = server.Close() })
	return l.Addr().String()
}

// autobahnCase is a case of Autobahn's test suite: the frames that it sends and
// what RFC 6455 wants. Binary messages (1.2) are refused with 1003 and those
// above limits.frame (7.1.6) with 1009, as the protocol says.
type autobahnCase struct {
	id, frames string
	want       string // the texts (t:) and pongs (p:) that come back
	code       int    // of the close frame; 1005: it has none
}

func frame(first byte, payload string) string {
	return string(wstest.Frame(first, uint64(len(payload)), payload))
}

// pieces is a message in frames of so many bytes.
func pieces(payload string, size int) (frames string) {
	first := byte(wstest.Text)
	for ; len(payload) > size; payload = payload[size:] {
		frames += frame(first, payload[:size])
		first = 0
	}
	return frames + frame(wstest.Final|first, payload)
}

const (
	fin, text, cont, bin, ping, pong = wstest.Final, wstest.Text, 0, 2, wstest.Ping, wstest.Pong
	greeting                         = "Hello, world!"
	kosme                            = "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"
	mixed                            = "Hello-\u00b5@\u00df\u00f6\u00e4\u00fc\u00e0\u00e1-UTF-8!!"
)

func byeWith(code uint16) string {
	return frame(fin|opClose, string([]byte{byte(code >> 8), byte(code)}))
}

var bye, stars = byeWith(1000), strings.Repeat("*", 256<<10)

func autobahnCases(t *testing.T) []autobahnCase {
	t.Helper()
	all := slices.Concat(autobahnMessages(), autobahnPings(), autobahnReserved(), autobahnFragments(), autobahnTexts(), autobahnCloses())
	if len(all) != 247 {
		t.Errorf("%d cases, of 247", len(all))
	}
	return all
}

// refused reports whether a case ends with a code for what the client did.
func (c autobahnCase) refused() bool {
	return slices.Contains([]int{1002, 1003, 1007, 1009}, c.code) && c.frames != byeWith(uint16(c.code))
}

// play sends the bytes of a case at once and piecemeal.
func (c autobahnCase) play(t *testing.T, addr string) {
	t.Helper()
	chop := 1
	if len(c.frames) > 4<<10 {
		chop = 997
	}
	for _, size := range []int{len(c.frames), chop} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		if got, code := exchange(t, conn, c.frames, size); got != c.want || code != c.code {
			t.Errorf("%d bytes at once: %.60q and %d, want %.60q and %d", size, got, code, c.want, c.code)
		}
	}
}

// All cases of 1 to 7 and 10: here those that are taken, then those that are not.
func TestAutobahnCases(t *testing.T) {
	t.Parallel()
	addr := echoing(t, nil)
	for _, c := range autobahnCases(t) {
		if !c.refused() {
			t.Run(c.id, func(t *testing.T) { c.play(t, addr) })
		}
	}
}

func TestBadAutobahnCases(t *testing.T) {
	t.Parallel()
	addr := echoing(t, nil)
	for _, c := range autobahnCases(t) {
		if c.refused() {
			t.Run(c.id, func(t *testing.T) { c.play(t, addr) })
		}
	}
}

// exchange sends frames, so many bytes at once, and returns what comes back as
// an autobahnCase has it.
func exchange(t *testing.T, conn net.Conn, frames string, size int) (came string, code int) {
	wstest.Upgrade(t, conn)
	defer conn.Close()
	var sent sync.WaitGroup
	defer sent.Wait()
	sent.Go(func() {
		for piece := range slices.Chunk([]byte(frames), size) {
			if _, err := conn.Write(piece); err != nil {
				return
			}
		}
	})
	var all []string
	for {
		f, err := wstest.Read(conn)
		if err != nil {
			return strings.Join(all, " "), code
		}
		switch f.First {
		case fin | text:
			all = append(all, "t:"+string(f.Payload))
		case fin | pong:
			all = append(all, "p:"+string(f.Payload))
		default:
			code = f.Code()
		}
	}
}

func autobahnMessages() (all []autobahnCase) {
	for i, size := range []int{0, 125, 126, 127, 128, 65535, 65536, 65536} {
		all = append(all,
			autobahnCase{fmt.Sprint("1.1.", i+1), frame(fin|text, stars[:size]) + bye, "t:" + stars[:size], 1000},
			autobahnCase{fmt.Sprint("1.2.", i+1), frame(fin|bin, stars[:size]) + bye, "", 1003})
	}
	return append(all, autobahnCase{"10.1.1", pieces(stars[:65536], 1300) + bye, "t:" + stars[:65536], 1000})
}

func autobahnPings() []autobahnCase {
	const odd = "\x00\xff\xfe\xfd\xfc\xfb\x00\xff"
	most := strings.Repeat("\xfe", 125)
	var ten string
	var pongs []string
	for i := range 10 {
		payload := fmt.Sprint("payload-", i)
		ten, pongs = ten+frame(fin|ping, payload), append(pongs, "p:"+payload)
	}
	return []autobahnCase{
		{"2.1", frame(fin|ping, "") + bye, "p:", 1000},
		{"2.2", frame(fin|ping, greeting) + bye, "p:" + greeting, 1000},
		{"2.3", frame(fin|ping, odd) + bye, "p:" + odd, 1000},
		{"2.4", frame(fin|ping, most) + bye, "p:" + most, 1000},
		{"2.5", frame(fin|ping, most+"\xfe") + bye, "", 1002},
		{"2.6", frame(fin|ping, most) + bye, "p:" + most, 1000},
		{"2.7", frame(fin|pong, "") + bye, "", 1000},
		{"2.8", frame(fin|pong, "unsolicited") + bye, "", 1000},
		{"2.9", frame(fin|pong, "unsolicited") + frame(fin|ping, "ping") + bye, "p:ping", 1000},
		{"2.10", ten + bye, strings.Join(pongs, " "), 1000},
		{"2.11", ten + bye, strings.Join(pongs, " "), 1000},
	}
}

// Reserved bits and opcodes, the third to fifth of each after a good message.
func autobahnReserved() (all []autobahnCase) {
	first, end := frame(fin|text, greeting), frame(fin|ping, "")
	bits := []string{
		frame(fin|text|0x10, greeting),
		first + frame(fin|text|0x20, greeting) + end,
		first + frame(fin|text|0x30, greeting) + end,
		first + frame(fin|text|0x40, greeting) + end,
		frame(fin|bin|0x50, greeting),
		frame(fin|bin|0x60, greeting),
		frame(fin|opClose|0x70, ""),
	}
	add := func(id, frames string) {
		want := ""
		if strings.HasPrefix(frames, first) {
			want = "t:" + greeting
		}
		all = append(all, autobahnCase{id, frames, want, 1002})
	}
	for i, frames := range bits {
		add(fmt.Sprint("3.", i+1), frames)
	}
	for group, opcode := range []byte{3, 11} {
		for i, payload := range []string{"", "reserved", "", greeting, greeting} {
			frames := frame(fin|opcode+byte(i), payload)
			if i >= 2 {
				frames = first + frames + end
			}
			add(fmt.Sprintf("4.%d.%d", group+1, i+1), frames)
		}
	}
	return all
}

func autobahnFragments() (all []autobahnCase) {
	a, b, pinged := frame(text, "a"), frame(fin|cont, "b"), frame(fin|ping, "p")
	loose, open, whole := frame(fin|cont, "x"), frame(cont, "x"), frame(fin|text, greeting)
	many := a + frame(cont, "b") + frame(fin|ping, "1") + frame(cont, "c") + frame(cont, "d") + frame(fin|ping, "2") + frame(fin|cont, "e") + bye
	for i, c := range []struct {
		frames, want string
		code         int
	}{
		{frame(ping, "a") + b, "", 1002},
		{frame(pong, "a") + b, "", 1002},
		{a + b + bye, "t:ab", 1000}, {a + b + bye, "t:ab", 1000}, {a + b + bye, "t:ab", 1000},
		{a + pinged + b + bye, "p:p t:ab", 1000}, {a + pinged + b + bye, "p:p t:ab", 1000}, {a + pinged + b + bye, "p:p t:ab", 1000},
		{loose + whole, "", 1002}, {loose + whole, "", 1002}, {loose + whole, "", 1002},
		{open + whole, "", 1002}, {open + whole, "", 1002}, {open + whole, "", 1002},
		{a + b + open + frame(fin|text, "d"), "t:ab", 1002},
		{strings.Repeat(open+a+b, 2), "", 1002},
		{strings.Repeat(loose+a+b, 2), "", 1002},
		{a + frame(fin|text, "b"), "", 1002},
		{many, "p:1 p:2 t:abcde", 1000}, {many, "p:1 p:2 t:abcde", 1000},
	} {
		all = append(all, autobahnCase{fmt.Sprint("5.", i+1), c.frames, c.want, c.code})
	}
	return all
}

func autobahnCloses() []autobahnCase {
	because := func(reason string) string { return frame(fin|opClose, "\x03\xe8"+reason) }
	whole := frame(fin|text, greeting)
	all := []autobahnCase{
		{"7.1.1", whole + bye, "t:" + greeting, 1000},
		{"7.1.2", bye + frame(fin|opClose, ""), "", 1000},
		{"7.1.3", bye + frame(fin|ping, ""), "", 1000},
		{"7.1.4", bye + whole, "", 1000},
		{"7.1.5", frame(text, "a") + bye + frame(fin|cont, "b"), "", 1000},
		{"7.1.6", frame(fin|text, stars) + whole + bye + frame(fin|ping, ""), "", 1009},
		{"7.3.1", frame(fin|opClose, ""), "", 1005},
		{"7.3.2", frame(fin|opClose, "a"), "", 1002},
		{"7.3.3", bye, "", 1000},
		{"7.3.4", because("Hello World!"), "", 1000},
		{"7.3.5", because(stars[:123]), "", 1000},
		{"7.3.6", because(stars[:124]), "", 1002},
		{"7.5.1", because(kosme + "\xed\xa0\x80edited"), "", 1002},
	}
	for i, code := range []uint16{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		all = append(all, autobahnCase{fmt.Sprint("7.7.", i+1), byeWith(code), "", int(code)})
	}
	for i, code := range []uint16{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999} {
		all = append(all, autobahnCase{fmt.Sprint("7.9.", i+1), byeWith(code), "", 1002})
	}
	return append(all, autobahnCase{"7.13.1", byeWith(5000), "", 1002}, autobahnCase{"7.13.2", byeWith(65535), "", 1002})
}
