package tests

import (
	"fmt"
	"testing"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// An id stands for one act of its user, whatever kind it is: what comes with it again
// is answered as the first, and nothing happens. With retry the answer has the seq at
// which the first stands, over whichever connector it comes and whatever became of
// the message since.
func TestIDsOfActs(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.beginLog(1, schema.NewestFormat)
	c.worker()
	c.projector()
	first, second := c.connector(unlimited(nil)).addr, c.connector(unlimited(nil)).addr
	ada, bob := enterLobby(t, first, "ada", `"*"`), enterLobby(t, first, "bob", `"*"`)
	elsewhere := enterLobby(t, second, "ada", `"*"`)
	seq := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "hi", ID: "chat"}).Seq
	doomed := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "oops", ID: "doomed"}).Seq
	acts := map[string]func(id string, retry bool) (string, any){
		"chat": func(id string, retry bool) (string, any) {
			return rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "hi", ID: id, Retry: retry}
		},
		"edit": func(id string, retry bool) (string, any) {
			return rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: seq, Body: "edited", ID: id, Retry: retry}
		},
		"react": func(id string, retry bool) (string, any) {
			return rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: seq, Name: "+1", ID: id, Retry: retry}
		},
		"delete": func(id string, retry bool) (string, any) {
			return rpc.MethodDelete, rpc.DeleteParams{Channel: "lobby", Seq: doomed, ID: id, Retry: retry}
		},
	}
	do := func(u changer, kind, id string, retry bool) (r rpc.ActResult) {
		t.Helper()
		method, params := acts[kind](id, retry)
		u.call(method, params, &r)
		return r
	}
	ada.hears()
	ada.hears() // else a repeat without retry may be answered with a seq of its own
	stands := map[string]rpc.ActResult{"chat": do(ada, "chat", "chat", false)}
	for _, kind := range []string{"edit", "react", "delete"} {
		stands[kind] = do(ada, kind, kind, false)
	}
	if stands["chat"].Seq != seq {
		t.Errorf("the message is at %d, a repeat is answered with %d", seq, stands["chat"].Seq)
	}
	for _, u := range []changer{ada, elsewhere} {
		for id, first := range stands {
			for kind := range acts {
				if r := do(u, kind, id, true); r != first {
					t.Errorf("%s with the id of %s: %+v, want %+v", kind, id, r, first)
				}
			}
		}
	}
	if r := do(bob, "chat", "chat", true); r.Seq <= stands["delete"].Seq {
		t.Errorf("another user's message with the id: %+v", r)
	}
	all := bob.join("lobby").Messages
	if got := fmt.Sprintf("%d %s %v", len(all), all[0].Body, all[0].Reactions); got != "3 edited [{+1 1}]" {
		t.Errorf("in the end there is %s", got)
	}
}

// A change of what is not there yet waits for it, and nothing else waits for the
// change; changes of one message keep their order.
func TestChangesOfWhatIsToCome(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.beginLog(1, schema.NewestFormat)
	c.worker()
	ada := changer{enter(t, c.connector(nil).addr, "ada")}
	ada.join("lobby")
	next := ada.chat("lobby", "before").Seq + 1
	results := ada.acts(9, func(i int) (string, any) {
		if i == 7 {
			return rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "sent"}
		}
		return rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: next, Body: fmt.Sprint("edit ", i)}
	})
	if results[7].Seq != next {
		t.Fatalf("the message is at %d, want %d", results[7].Seq, next)
	}
	for i, before := range []int{7, 0, 1, 2, 3, 4, 5} {
		if results[i].Seq <= results[before].Seq {
			t.Errorf("edit %d is at %d, what comes before it at %d", i, results[i].Seq, results[before].Seq)
		}
	}
	await.That(t, "the last edit counts", func() bool {
		m := ada.join("lobby").Messages
		return m[len(m)-1].Body == "edit 8"
	})
}

// What follows a join under way waits until it has passed, and takes effect in its
// order; when the join fails, it fails alike and is not in the log.
func TestActsBehindAJoin(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.beginLog(1, schema.NewestFormat)
	url := c.connector(nil).addr
	ada := changer{enter(t, url, "ada")}
	behind := func(u changer) []error {
		var errs []error
		var waits []func() error
		for _, r := range []struct {
			method string
			params any
		}{
			{rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}}, {rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "hi"}},
			{rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: 2, Name: "+1"}}, {rpc.MethodLeave, rpc.LeaveParams{Channel: "lobby"}},
		} {
			wait, err := u.Start(r.method, r.params)
			if err != nil {
				t.Fatal(err)
			}
			waits = append(waits, func() error { return wait(soon(t), nil) })
		}
		for _, wait := range waits {
			errs = append(errs, wait())
		}
		return errs
	}
	for i, err := range behind(ada) {
		if got := ada.read(err); got != "1007" {
			t.Errorf("without a worker, request %d behind a join is answered with %q", i, got)
		}
	}
	c.worker()
	bob := changer{enter(t, url, "bob")}
	bob.join("lobby")
	if got := bob.join("lobby").Messages; len(got) != 0 {
		t.Errorf("what was refused is in the log: %+v", got)
	}
	for i, err := range behind(ada) {
		if err != nil && i != 2 { // there may be no message at 2
			t.Errorf("request %d behind a join: %v", i, err)
		}
	}
	if m := bob.hears(); m.User != "ada" || m.Body != "hi" {
		t.Errorf("bob hears %+v", m)
	}
}
