package chat

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRoutesAreReadFromAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "routes.json")
	if err := os.WriteFile(path, []byte(`{"send": "room.roomHandler.say", "onAdd": "cameIn"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := ReadRoutes(path)
	want := DefaultRoutes()
	want.Send, want.OnAdd = "room.roomHandler.say", "cameIn"
	if err != nil || got != want {
		t.Fatalf("read %+v, %v; want %+v", got, err, want)
	}
	if _, err := ReadRoutes(path + ".none"); err == nil || !strings.Contains(err.Error(), "routes") {
		t.Fatalf("no file: %v", err)
	}
}

func TestBadRoutes(t *testing.T) {
	long := strings.Repeat("x", 255) + ".y"
	for _, c := range []struct{ name, text, says string }{
		{"empty file", ``, "takes a JSON object"},
		{"no JSON", `send: x`, "takes a JSON object"},
		{"null", `null`, "takes a JSON object"},
		{"array", `["a.b"]`, "takes a JSON object"},
		{"a number for a name", `{"send": 1}`, "takes a JSON object"},
		{"the same name twice", `{"send": "a.b", "send": "c.d"}`, "takes a JSON object"},
		{"unknown", `{"Send": "a.b"}`, `"Send" is not a route`},
		{"no dot", `{"enter": "enter"}`, "needs a dot"},
		{"empty request", `{"enter": ""}`, "needs a dot"},
		{"empty push", `{"onChat": ""}`, "1 to 255 bytes"},
		{"too long", `{"send": "` + long + `"}`, "1 to 255 bytes"},
		{"our own", `{"send": "parley.rpc.chat"}`, "Parley's own"},
		{"our own push", `{"onChat": "parley.chat"}`, "Parley's own"},
		{"two requests with one name", `{"enter": "a.b", "send": "a.b"}`, "enter and send have the same name"},
		{"two pushes with one name", `{"onAdd": "x", "onLeave": "x"}`, "onAdd and onLeave have the same name"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := parseRoutes([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("it says %v; want %q", err, c.says)
			}
		})
	}
}

// What is read from a file can be used as it is.
func FuzzRoutes(f *testing.F) {
	for _, seed := range []string{`{}`, `{"send":"a.b"}`, `{"send":"parley.x","onChat":""}`, `{"a":1}`, `[]`, "{\"onAdd\":\"\xff\"}"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRoutes(text)
		if err != nil {
			return
		}
		for _, name := range []string{r.QueryEntry, r.Enter, r.Send, r.OnChat, r.OnAdd, r.OnLeave} {
			if name == "" || len(name) > 255 || strings.HasPrefix(name, "parley.") {
				t.Fatalf("%q is taken, and has the name %q", text, name)
			}
		}
	})
}
