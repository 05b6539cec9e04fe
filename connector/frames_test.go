package connector

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/wstest"
)

// What is wrong with a frame closes with the code that RFC 6455 names, and is
// not echoed; what came before it is answered.
func TestFramesThatEndConnections(t *testing.T) {
	t.Parallel()
	r := newEdgeRig(t)
	hello := `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"ada"}}`
	hello = string(wstest.Frame(wstest.Final|wstest.Text, uint64(len(hello)), hello))
	ping := wstest.Frame(wstest.Final|wstest.Ping, 1, "p")
	for name, c := range map[string]struct {
		frames string
		code   int
	}{
		"2^63":                    {string(wstest.Frame(wstest.Final|wstest.Text, 1<<63, "x")), 1009},
		"2^64-1":                  {string(wstest.Frame(wstest.Final|wstest.Text, 1<<64-1, "x")), 1009},
		"2^63-1":                  {string(wstest.Frame(wstest.Final|wstest.Text, 1<<63-1, "x")), 1009},
		"2^63 in a continuation":  {string(wstest.Frame(wstest.Text, 1, "x")) + string(wstest.Frame(wstest.Final, 1<<63, "x")), 1009},
		"2^63-1 twice":            {string(wstest.Frame(wstest.Text, 2, "xx")) + string(wstest.Frame(wstest.Final, 1<<63-1, "x")), 1009},
		"one more than the limit": {string(wstest.Frame(wstest.Final|wstest.Text, 64<<10+1, "x")), 1009},
		"a close frame of one":    {string(wstest.Frame(wstest.Final|wstest.Close, 1, "x")), 1002},
		"a close frame of none":   {string(wstest.Frame(wstest.Final|wstest.Close, 0, "")), 1005},
		"a close frame of two":    {string(wstest.Frame(wstest.Final|wstest.Close, 2, "\x03\xe8")), 1000},
		"a code that is not one":  {string(wstest.Frame(wstest.Final|wstest.Close, 2, "\x03\xec")), 1002},
	} {
		for _, split := range []bool{false, true} {
			conn := r.raw("")
			wstest.Upgrade(t, conn)
			whole := hello + string(ping) + c.frames
			if !split {
				_, _ = conn.Write([]byte(whole))
			} else {
				go func() {
					for i := range len(whole) { // byte by byte
						if _, err := conn.Write([]byte{whole[i]}); err != nil {
							return
						}
						if i > len(hello) {
							time.Sleep(time.Millisecond)
						}
					}
				}()
			}
			var frames []wstest.Got
			for {
				f, err := wstest.Read(conn)
				if err != nil {
					if !errors.Is(err, io.EOF) {
						t.Errorf("%s, split %v: %v", name, split, err)
					}
					break
				}
				frames = append(frames, f)
			}
			var text, pong, code int
			for _, f := range frames {
				switch f.First {
				case wstest.Final | wstest.Text:
					text++
				case wstest.Final | wstest.Pong:
					pong++
				default:
					code = f.Code()
				}
			}
			if text != 1 || pong != 1 || code != c.code || len(frames) != 3 {
				t.Errorf("%s, split %v: %d answers, %d pongs, %d frames, close code %d, want %d", name, split, text, pong, len(frames), code, c.code)
			}
		}
	}
}
