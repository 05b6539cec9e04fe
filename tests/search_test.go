package tests

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
)

// search returns what a user finds, all pages, newest first.
func (u *user) search(p rpc.SearchParams) (all []rpc.Found) {
	u.t.Helper()
	for {
		var r rpc.SearchResult
		u.call(rpc.MethodSearch, p, &r)
		if all = append(all, r.Messages...); !r.More {
			return all
		}
		p.Before = r.Before
	}
}

// found are the bodies of what a user finds, with the words marked.
func (u *user) found(p rpc.SearchParams) (all []string) {
	u.t.Helper()
	for _, m := range u.search(p) {
		body := m.Body // of ASCII in these tests
		for _, at := range slices.Backward(m.Highlight) {
			body = body[:at[0]] + "[" + body[at[0]:at[1]] + "]" + body[at[1]:]
		}
		all = append(all, body)
	}
	return all
}

// finds waits until a user finds this.
func (u *user) finds(p rpc.SearchParams, want ...string) {
	u.t.Helper()
	var got []string
	defer func() {
		if u.t.Failed() {
			u.t.Logf("%s finds %q", u.name, got)
		}
	}()
	await.That(u.t, fmt.Sprint("a search of ", p.Query, " finds ", want), func() bool {
		got = u.found(p)
		return slices.Equal(got, want)
	})
}

// tick waits for the next millisecond: those of one are in no order that is of interest.
func tick() {
	for began := time.Now().UnixMilli(); time.Now().UnixMilli() == began; {
		time.Sleep(time.Millisecond / 4)
	}
}

// A search finds what messages say now, for those who may read them, wherever they are
// connected, in channels that they have joined or in the one that they name.
func TestSearch(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(nil).addr
	ada, bob, eve := enter(t, url, "ada"), enter(t, c.connector(nil).addr, "bob"), enter(t, url, "eve")
	for _, u := range []*user{ada, bob} {
		u.join("lobby")
		u.join("kitchen")
	}
	eve.join("kitchen")
	first := ada.chat("lobby", "The quick brown fox")
	tick()
	ada.chat("kitchen", "quick soup")
	tick()
	ada.chatWith(rpc.ChatParams{Channel: "kitchen", Body: "a quick word", To: "bob"})
	tick()
	wrong := bob.chat("lobby", "quick and wrong")
	tick()
	gone := bob.chat("lobby", "quick and gone")
	query := rpc.SearchParams{Query: "QUICK"}
	bob.finds(query, "[quick] and gone", "[quick] and wrong", "a [quick] word", "[quick] soup", "The [quick] brown fox")

	// What was changed is not found by its old text from the answer on.
	bob.call(rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: wrong.Seq, Body: "slow but right"}, nil)
	bob.call(rpc.MethodDelete, rpc.DeleteParams{Channel: "lobby", Seq: gone.Seq}, nil)
	await.That(t, "the changes have passed", func() bool {
		h := bob.history(rpc.HistoryParams{Channel: "lobby"})
		return h.Messages[len(h.Messages)-1].Deleted != nil && h.Messages[len(h.Messages)-2].Edited != nil
	})
	left := []string{"a [quick] word", "[quick] soup", "The [quick] brown fox"}
	if got := bob.found(query); !slices.Equal(got, left) {
		t.Errorf("after the changes: %q, want %q", got, left)
	}
	ada.finds(rpc.SearchParams{Query: "right slow"}, "[slow] but [right]")
	ada.finds(query, left...)
	eve.finds(query, "[quick] soup")
	eve.finds(rpc.SearchParams{Query: "quick", Channel: "lobby"}, "The [quick] brown fox")
	eve.finds(rpc.SearchParams{Query: "quick", Channel: "nowhere"})

	// By author, by time, page by page.
	ada.finds(rpc.SearchParams{Query: "but", User: "bob"}, "slow [but] right")
	ada.finds(rpc.SearchParams{Query: "but", User: "ada"})
	ada.finds(rpc.SearchParams{Query: "quick", To: ptr(first.Time + 1)}, "The [quick] brown fox")
	ada.finds(rpc.SearchParams{Query: "quick", From: ptr(first.Time + 1)}, left[:2]...)
	ada.finds(rpc.SearchParams{Query: "quick", Limit: ptr(1)}, left...)
	hits := ada.search(rpc.SearchParams{Query: "fox"})
	if len(hits) != 1 || hits[0].Epoch != ada.hello.Epoch || hits[0].Seq != first.Seq || hits[0].User != "ada" {
		t.Errorf("the fox is %+v", hits)
	}
	ada.leave("kitchen")
	ada.finds(query, "The [quick] brown fox")

	// A new message is found within a second or two.
	ada.chat("lobby", "今天天气很好")
	began := time.Now()
	await.That(t, "a new message is found", func() bool { return len(bob.search(rpc.SearchParams{Query: "天气"})) == 1 })
	t.Log("found after", time.Since(began).Round(time.Millisecond))
}

// Those whose messages were purged, and those who are banned, are not found and find
// nothing.
func TestSearchAndModeration(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(authenticated(unpaced(nil))).addr
	mod := moderatorOf(t, url, "mod", "lobby")
	eve := granted(t, url, "eve", allowing("*", `"*"`))
	eve.join("lobby")
	eve.chat("lobby", "buy pills")
	tick()
	mod.chat("lobby", "no pills here")
	query := rpc.SearchParams{Query: "pills", Channel: "lobby"}
	eve.finds(query, "no [pills] here", "buy [pills]")
	mod.does(rpc.MethodPurge, map[string]any{"channel": "lobby", "user": "eve"})
	if got := mod.found(query); !slices.Equal(got, []string{"no [pills] here"}) {
		t.Errorf("after the purge: %q", got)
	}
	mod.does(rpc.MethodBan, map[string]any{"channel": "lobby", "user": "eve"})
	await.That(t, "the ban is known", func() bool { return eve.verdict(rpc.MethodSearch, query) == "1009 ban" })
	if got := eve.found(rpc.SearchParams{Query: "pills"}); len(got) > 0 {
		t.Errorf("one who is banned finds %q", got)
	}
	mod.does(rpc.MethodLift, map[string]any{"channel": "lobby", "user": "eve"})
	await.That(t, "the ban is lifted", func() bool { return eve.verdict(rpc.MethodSearch, query) == "" })
}

// A session searches one at a time, and what it asks for is checked first.
func TestSearchIsOneAtATime(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	ada := enter(t, c.connector(nil).addr, "ada")
	ada.join("lobby")
	ada.chat("lobby", "hi there")
	ada.finds(rpc.SearchParams{Query: "hi"}, "[hi] there")
	await.That(t, "the second of two is refused", func() bool {
		first, err := ada.Start(rpc.MethodSearch, rpc.SearchParams{Query: "hi"})
		if err != nil {
			t.Fatal(err)
		}
		second := ada.outcome(rpc.MethodSearch, rpc.SearchParams{Query: "hi"})
		if got := ada.read(first(soon(t), nil)); got != "" && got != fmt.Sprint(rpc.CodeHistoryUnavailable) {
			t.Fatalf("the first is %q", got)
		}
		return strings.HasPrefix(second, fmt.Sprint(rpc.CodeRateLimited))
	})
	ada.refused(rpc.CodeInvalidParams, rpc.MethodSearch, rpc.SearchParams{Query: "%"})
	ada.finds(rpc.SearchParams{Query: "hi"}, "[hi] there")
}
