package changes

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/cases.json")

const (
	casesFile  = "testdata/cases.json"
	savedCases = 250
	moreCases  = 2000 // that are tried and not saved
)

// testCase is a message, what was done to it, and what is shown afterwards, as
// they are on the wire. Readers in other languages are tested on the same.
type testCase struct {
	Message wireMessage  `json:"message"`
	Me      string       `json:"me"`
	Changes []wireChange `json:"changes"` // ascending
	Order   []int        `json:"order"`   // in which they come; some repeat
	// Reacted are the counts as a connector pushes them: of the names that
	// changed since the push before, as of seq.
	Reacted []wireReacted `json:"reacted,omitempty"`
	Pages   []page        `json:"pages"` // what is shown as of other positions
	Shown   shown         `json:"shown"` // after all of them
}

type wireMessage struct {
	Seq  int64           `json:"seq"`
	User string          `json:"user"`
	Body string          `json:"body"`
	Type string          `json:"type,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

type wireChange struct {
	Seq    int64       `json:"seq"`
	Time   int64       `json:"time"`
	User   string      `json:"user,omitempty"`
	Key    string      `json:"key,omitempty"`
	By     *by         `json:"by,omitempty"`
	Edit   *wireEdit   `json:"edit,omitempty"`
	Delete *wireDelete `json:"delete,omitempty"`
	React  *wireReact  `json:"react,omitempty"`
	Purge  *wirePurge  `json:"purge,omitempty"`
}

type by struct {
	User string `json:"user,omitempty"`
	Key  string `json:"key,omitempty"`
}

type wireEdit struct {
	Body string          `json:"body"`
	Type *string         `json:"type,omitempty"`
	Data json.RawMessage `json:"data,omitempty"`
}

type wireDelete struct {
	Reason string `json:"reason,omitempty"`
}

type wireReact struct {
	Name   string `json:"name"`
	Remove bool   `json:"remove,omitempty"`
}

type wirePurge struct {
	User   string `json:"user"`
	Since  int64  `json:"since"`
	Reason string `json:"reason,omitempty"`
}

type wireReacted struct {
	Seq    int64          `json:"seq"`
	Counts map[string]int `json:"counts"`
	// Of a push that stands for one reaction.
	User   string `json:"user,omitempty"`
	Name   string `json:"name,omitempty"`
	Remove bool   `json:"remove,omitempty"`
}

type page struct {
	Asof  int64 `json:"asof"`
	Shown shown `json:"shown"`
}

type shown struct {
	Body      string          `json:"body"`
	Type      string          `json:"type,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"`
	Edited    *position       `json:"edited,omitempty"`
	Deleted   *removal        `json:"deleted,omitempty"`
	Reactions []tally         `json:"reactions,omitempty"`
	Mine      []string        `json:"mine,omitempty"`
}

type position struct {
	Seq  int64 `json:"seq"`
	Time int64 `json:"time"`
}

type removal struct {
	position
	By     by     `json:"by"`
	Reason string `json:"reason,omitempty"`
}

type tally struct {
	Name  string `json:"name"`
	Count int    `json:"count"`
}

// change is w as State takes it.
func (w *wireChange) change() Change {
	c := Change{Seq: w.Seq, Time: w.Time, User: w.User, Key: w.Key}
	if w.By != nil {
		c.User, c.Key = w.By.User, w.By.Key
	}
	switch {
	case w.Edit != nil:
		c.Edit = &Edit{Body: w.Edit.Body, Type: w.Edit.Type}
		if data := string(w.Edit.Data); data != "" {
			c.Edit.Data = &data
		}
	case w.Delete != nil:
		c.Delete = &Delete{w.Delete.Reason}
	case w.React != nil:
		c.React = &React{w.React.Name, w.React.Remove}
	case w.Purge != nil:
		c.Purge = &Purge{w.Purge.User, w.Purge.Since, w.Purge.Reason}
	}
	return c
}

// fold is what State shows after the changes with these indices.
func (c *testCase) fold(order []int) *shown {
	s, m := new(State), Message{c.Message.Seq, c.Message.User}
	for _, i := range order {
		change := c.Changes[i].change()
		s.Add(&m, &change)
	}
	var v shown
	body, kind, data, edited := s.Text(c.Message.Body, c.Message.Type, string(c.Message.Data))
	v.Body, v.Type, v.Data = body, kind, json.RawMessage(data)
	if edited != nil {
		v.Edited = &position{edited.Seq, edited.Time}
	}
	if d := s.Deleted(); d != nil {
		v.Deleted = &removal{position{d.Seq, d.Time}, actor(d.User, d.Key), d.Reason}
	}
	for _, r := range s.Reactions() {
		v.Reactions = append(v.Reactions, tally(r))
	}
	v.Mine = s.Mine(c.Me)
	return &v
}

func actor(user, key string) by {
	if key != "" {
		return by{Key: key}
	}
	return by{User: user}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The cases are of the contract's words, so State must agree with all of them:
// in the order given, with repeats, in any other order, and cut into pages.
func TestCases(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for i := range savedCases + moreCases {
		c := newCase(i)
		want := text(t, c.Shown)
		if got := text(t, c.fold(c.Order)); got != want {
			t.Fatalf("case %d: %s, want %s\n%s", i, got, want, text(t, c))
		}
		for range 3 {
			order := append(random.Perm(len(c.Changes)), c.Order[:random.IntN(len(c.Order)+1)]...)
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
			if got := text(t, c.fold(order)); got != want {
				t.Fatalf("case %d in the order %v: %s, want %s\n%s", i, order, got, want, text(t, c))
			}
		}
		for _, p := range c.Pages {
			upTo := slices.DeleteFunc(slices.Clone(c.Order), func(i int) bool { return c.Changes[i].Seq > p.Asof })
			if got, want := text(t, c.fold(upTo)), text(t, p.Shown); got != want {
				t.Fatalf("case %d as of %d: %s, want %s\n%s", i, p.Asof, got, want, text(t, c))
			}
		}
	}
}

// The file is what other languages are tested on.
func TestCasesFile(t *testing.T) {
	var b bytes.Buffer
	for i := range savedCases {
		fmt.Fprintf(&b, "%s\n%s", map[bool]string{true: "[", false: ","}[i == 0], text(t, newCase(i)))
	}
	b.WriteString("\n]\n")
	if *update {
		if err := os.WriteFile(casesFile, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(casesFile)
	if err != nil || !bytes.Equal(have, b.Bytes()) {
		t.Errorf("%s is not what these tests make (%v): run go test ./schema/changes -update", casesFile, err)
	}
	var cases []testCase
	if err := json.Unmarshal(have, &cases); err != nil {
		t.Fatal(err)
	}
	for i := range cases {
		if c := &cases[i]; text(t, c.fold(c.Order)) != text(t, c.Shown) {
			t.Errorf("case %d, read from the file: %s, want %s", i, text(t, c.fold(c.Order)), text(t, c.Shown))
		}
	}
}
