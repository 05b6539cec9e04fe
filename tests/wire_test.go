package tests

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
)

var recordWire = flag.Bool("record-wire", false, "write testdata/wire.txt from what the connector sends")

const wireFile = "testdata/wire.txt"

// What the connector sends to clients is, byte for byte, what was recorded in
// testdata/wire.txt with an earlier version: every request, push, error and
// close. Ids and times are masked. The file is the script as well; after a
// change that is meant, -record-wire writes it again, for the reviewer to see.
func TestWireIsAsRecorded(t *testing.T) {
	onEmbeddedBroker(t)
	recorded, err := os.ReadFile(wireFile)
	if err != nil {
		t.Fatal(err)
	}
	c := newCluster(t)
	c.worker()
	c.projector()
	role := c.connector(func(cfg *connector.Config) { cfg.Limits.Presence = 4 })
	w := &wire{t: t, role: role, clients: map[string]*wireClient{}}
	var got strings.Builder
	for _, s := range steps(string(recorded)) {
		fmt.Fprintln(&got, s.line)
		if !s.does() {
			continue
		}
		w.carryOut(s)
		for _, line := range w.answers(s) {
			fmt.Fprintln(&got, line)
		}
	}
	if *recordWire {
		if err := os.WriteFile(wireFile, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := strings.Split(string(recorded), "\n")
	for i, line := range strings.Split(got.String(), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("%s:%d is\n%s\nwant\n%s", wireFile, i+1, line, want[min(i, len(want)-1)])
		}
	}
}

// step is a line of the file other than an answer, and how many answers each
// client gets after it.
type step struct {
	line    string
	client  string
	text    string
	answers map[string]int
}

func (s step) does() bool { return s.client != "" }

func steps(file string) (all []step) {
	for _, line := range strings.Split(strings.TrimSuffix(file, "\n"), "\n") {
		name, rest, _ := strings.Cut(line, " ")
		direction, text, _ := strings.Cut(rest, " ")
		switch {
		case strings.HasPrefix(line, "#") || line == "":
			all = append(all, step{line: line})
		case direction == ">":
			all = append(all, step{line: line, client: name, text: text, answers: map[string]int{}})
		case direction == "<":
			all[len(all)-1].answers[name]++
		}
	}
	return all
}

// wire is the clients of the script.
type wire struct {
	t       *testing.T
	role    *role
	clients map[string]*wireClient
	epoch   string
}

type wireClient struct {
	ws     *websocket.Conn
	frames chan string
}

func (c *wireClient) send(frame string) error {
	return c.ws.WriteMessage(websocket.TextMessage, []byte(frame))
}

// carryOut sends a frame as it stands, or does what its text names. "until
// PATTERN FRAME" repeats a request until its answer matches.
func (w *wire) carryOut(s step) {
	w.t.Helper()
	var err error
	switch c := w.clients[s.client]; {
	case s.text == "connect":
		w.clients[s.client] = w.connect()
	case s.text == "cut":
		err = c.ws.Close()
		delete(w.clients, s.client)
	case s.text == "binary":
		err = c.ws.WriteMessage(websocket.BinaryMessage, []byte("{}"))
	case s.text == "waits": // for what comes by itself
	case s.text == "stops":
		go w.role.stop()
	case strings.HasPrefix(s.text, "until "):
		pattern, frame, _ := strings.Cut(strings.TrimPrefix(s.text, "until "), " ")
		until := regexp.MustCompile(pattern)
		await.That(w.t, s.line, func() bool {
			if err = c.send(w.fill(frame)); err != nil {
				return true
			}
			answer, open := <-c.frames
			if open && until.MatchString(answer) {
				c.frames <- answer
			}
			return !open || until.MatchString(answer)
		})
	default:
		err = c.send(w.fill(s.text))
	}
	if err != nil {
		w.t.Fatalf("%s: %v", s.line, err)
	}
}

func (w *wire) connect() *wireClient {
	c := &wireClient{ws: dial(w.t, w.role.addr), frames: make(chan string, 1000)}
	go func() {
		defer close(c.frames)
		for {
			_, frame, err := c.ws.ReadMessage()
			if err == nil {
				c.frames <- string(frame)
				continue
			}
			if end := (*websocket.CloseError)(nil); errors.As(err, &end) && end.Code != websocket.CloseAbnormalClosure {
				c.frames <- fmt.Sprintf("close %d %s", end.Code, end.Text)
			}
			return
		}
	}()
	return c
}

// fill puts in what a script cannot have: the epoch, and long texts, as
// <4097 x>.
func (w *wire) fill(text string) string {
	text = strings.ReplaceAll(text, "<epoch>", w.epoch)
	return regexp.MustCompile(`<(\d+) (.)>`).ReplaceAllStringFunc(text, func(m string) string {
		n, char, _ := strings.Cut(strings.Trim(m, "<>"), " ")
		times, err := strconv.Atoi(n)
		if err != nil {
			w.t.Fatal(err)
		}
		return strings.Repeat(char, times)
	})
}

// answers are the lines that follow a step: for each client in the order of
// their names, what answers requests before what is pushed, since those may
// come in any order.
func (w *wire) answers(s step) (lines []string) {
	names := make([]string, 0, len(w.clients))
	for name := range w.clients {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		frames := w.receive(s, name)
		slices.SortStableFunc(frames, func(a, b string) int { return cmp.Compare(rank(a), rank(b)) })
		for _, frame := range frames {
			if m := regexp.MustCompile(`"epoch":"([0-9A-Z]{26})"`).FindStringSubmatch(frame); m != nil {
				w.epoch = m[1]
			}
			lines = append(lines, name+" < "+mask(frame))
		}
	}
	return lines
}

// receive is what a client gets after a step: as many frames as recorded, or,
// when recording, all that come until it is quiet.
func (w *wire) receive(s step, name string) (frames []string) {
	for c := w.clients[name]; *recordWire || len(frames) < s.answers[name]; {
		wait := patience
		if *recordWire {
			wait = quiet(s)
		}
		select {
		case frame, open := <-c.frames:
			if !open {
				if !*recordWire {
					w.t.Fatalf("%s: %s is cut off", s.line, name)
				}
				delete(w.clients, name)
				return frames
			}
			frames = append(frames, frame)
		case <-time.After(wait):
			if !*recordWire {
				w.t.Fatalf("%s: %s gets %q, and nothing else", s.line, name, frames)
			}
			return frames
		}
	}
	return frames
}

// quiet is how long nothing comes when all has come.
func quiet(s step) time.Duration {
	if s.text == "waits" {
		return 8 * time.Second
	}
	return 500 * time.Millisecond
}

func rank(frame string) int {
	switch {
	case strings.HasPrefix(frame, "close "):
		return 2
	case strings.HasPrefix(frame, `{"jsonrpc":"2.0","method":`):
		return 1
	}
	return 0
}

var masks = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b01[0-9A-HJKMNP-TV-Z]{24}\b`), "<id>"},
	{regexp.MustCompile(`"time":1\d{12}\b`), `"time":<time>`},
}

func mask(frame string) string {
	for _, m := range masks {
		frame = m.what.ReplaceAllString(frame, m.as)
	}
	return frame
}
