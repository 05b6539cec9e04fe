package tests

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// changer is a user who changes messages of the lobby.
type changer struct{ *user }

func (u changer) edit(seq int64, body string) rpc.ActResult {
	u.t.Helper()
	var r rpc.ActResult
	u.call(rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: seq, Body: body}, &r)
	return r
}

func (u changer) react(seq int64, name string, remove bool) rpc.ActResult {
	u.t.Helper()
	var r rpc.ActResult
	u.call(rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: seq, Name: name, Remove: remove}, &r)
	return r
}

// enterLobby is a user with grants in the lobby, who is in it.
func enterLobby(t *testing.T, url, name, actions string) changer {
	u := granted(t, url, name, allowing("lobby", actions))
	u.join("lobby")
	return changer{u}
}

// unlimited is a connector that knows its users and limits no rates.
func unlimited(change func(*connector.Config)) func(*connector.Config) {
	return authenticated(func(cfg *connector.Config) {
		cfg.Limits.Rate, cfg.Limits.Chats, cfg.Limits.Joins = -1, -1, -1
		if change != nil {
			change(cfg)
		}
	})
}

// nothingHappens is a test that leaves no trace in a log of one partition.
func nothingHappens(t *testing.T, u changer, test func()) {
	t.Helper()
	before := u.chat("lobby", "before")
	test()
	if after := u.chat("lobby", "after"); after.Seq != before.Seq+1 {
		t.Errorf("%d events were published", after.Seq-before.Seq-1)
	}
}

// A change of a message that is not there for the user, or not theirs to change, is
// refused as documented, and nothing is published.
func TestChangesOfWhatMayNotBeChanged(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.beginLog(1, schema.NewestFormat)
	c.worker()
	c.projector()
	url := c.connector(unlimited(nil)).addr
	ada, bob, eve := enterLobby(t, url, "ada", `"*"`), enterLobby(t, url, "bob", `"*"`), enterLobby(t, url, "eve", `"*"`)
	mod := enterLobby(t, url, "mod", `"moderate"`)
	open, private, gone := ada.chat("lobby", "hi").Seq, ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "psst", To: "bob"}).Seq, ada.chat("lobby", "no").Seq
	ada.call(rpc.MethodDelete, rpc.DeleteParams{Channel: "lobby", Seq: gone}, nil)
	acts := func(seq int64, epoch string) map[string]any {
		return map[string]any{
			rpc.MethodEdit: rpc.EditParams{Channel: "lobby", Seq: seq, Epoch: epoch, Body: "x"}, rpc.MethodDelete: rpc.DeleteParams{Channel: "lobby", Seq: seq, Epoch: epoch},
			rpc.MethodReact: rpc.ReactParams{Channel: "lobby", Seq: seq, Epoch: epoch, Name: "x"}, rpc.MethodPin: rpc.PinParams{Channel: "lobby", Seq: seq, Epoch: epoch},
		}
	}
	nothingHappens(t, ada, func() {
		for _, at := range []struct {
			what  string
			seq   int64
			epoch string
			who   changer
		}{
			{"a join", open - 1, "", mod}, {"a change", gone + 1, "", mod}, {"a deleted message", gone, "", mod}, {"another's private message", private, "", mod}, {"of another epoch", open, "another", mod},
			{"the log's beginning", 1, "", mod}, {"far above the channel", 1 << 50, "", mod}, {"a private message", private, "", eve}, {"a deleted message of another's", gone, "", ada},
		} {
			for method, params := range acts(at.seq, at.epoch) {
				want := "1010"
				if method == rpc.MethodPin && at.who != mod {
					want = "1002 moderate lobby"
				}
				if got := at.who.outcome(method, params); got != want {
					t.Errorf("%s of %s by %s: %q, want %q", method, at.what, at.who.name, got, want)
				}
			}
		}
		for what, r := range map[string]struct {
			who    changer
			method string
			params any
			want   string
		}{
			"another's message is edited":           {bob, rpc.MethodEdit, acts(open, "")[rpc.MethodEdit], "1002 moderate lobby"},
			"another's message is deleted":          {bob, rpc.MethodDelete, acts(open, "")[rpc.MethodDelete], "1002 moderate lobby"},
			"a private message is edited":           {bob, rpc.MethodEdit, acts(private, "")[rpc.MethodEdit], "1002 moderate lobby"},
			"a message is answered that is to come": {bob, rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x", Reply: open + 1000}, "-32602"},
		} {
			if got := r.who.outcome(r.method, r.params); got != r.want {
				t.Errorf("%s: %q, want %q", what, got, r.want)
			}
		}
	})
}

// Authors change their messages for as long as they may, moderators others' as well,
// and all see it.
func TestMessagesAreChanged(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(unlimited(nil)).addr
	strict := c.connector(unlimited(func(cfg *connector.Config) { cfg.Limits.EditAge = 1 })).addr
	ada, bob := enterLobby(t, url, "ada", `"*"`), enterLobby(t, url, "bob", `"*"`)
	old, mod := enterLobby(t, strict, "ada", `"*"`), enterLobby(t, strict, "mod", `"moderate"`)
	data := json.RawMessage(`{"b":1,"a":[1e2,"\u00e9"]}`)
	sent := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "hi", Type: "poll", Data: data, Mentions: []string{"bob", "bob"}})
	if m := bob.hears(); m.Type != "poll" || string(m.Data) != string(data) || fmt.Sprint(m.Mentions) != "[bob bob]" {
		t.Errorf("bob hears %+v", m)
	}
	answer := bob.chatWith(rpc.ChatParams{Channel: "lobby", Body: "yes", Reply: sent.Seq})
	edited := ada.edit(sent.Seq, "hello")
	if p := string(bob.sees(rpc.PushChanged).Params); !strings.Contains(p, fmt.Sprintf(`"seq":%d,"target":%d`, edited.Seq, sent.Seq)) || !strings.Contains(p, `"edit":{"body":"hello"}`) {
		t.Errorf("bob sees %s", p)
	}
	for method, params := range map[string]any{
		rpc.MethodEdit: rpc.EditParams{Channel: "lobby", Seq: sent.Seq, Body: "late"}, rpc.MethodDelete: rpc.DeleteParams{Channel: "lobby", Seq: sent.Seq},
	} {
		if bad := old.refused(rpc.CodeForbidden, method, params); bad.Data == nil || *bad.Data != (rpc.ErrorData{Action: "edit", Channel: "lobby", Reason: rpc.ReasonAge}) {
			t.Errorf("%s of an old message: %+v", method, bad)
		}
	}
	mod.call(rpc.MethodPin, rpc.PinParams{Channel: "lobby", Seq: sent.Seq}, nil)
	if p := string(bob.sees(rpc.PushSettings).Params); !strings.Contains(p, fmt.Sprintf(`"pins":[%d]`, sent.Seq)) {
		t.Errorf("bob sees %s", p)
	}
	mod.edit(answer.Seq, "moderated")
	mod.call(rpc.MethodDelete, rpc.DeleteParams{Channel: "lobby", Seq: sent.Seq, Reason: "spam"}, nil)
	bob.sees(rpc.PushChanged)
	bob.sees(rpc.PushChanged)
	all := bob.join("lobby").Messages
	if len(all) != 2 || all[0].Deleted == nil || all[0].Deleted.Reason != "spam" || all[0].Body != "" || all[1].Body != "moderated" || all[1].Reply != sent.Seq {
		t.Errorf("in the end there is %+v", all)
	}
}

// A reaction that changes nothing is not published, and the bounds of a message are
// kept.
func TestReactionsAndBounds(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(nil).addr
	ada, bob := changer{enter(t, url, "ada")}, changer{enter(t, url, "bob")}
	ada.join("lobby")
	bob.join("lobby")
	seq := ada.chat("lobby", "hi").Seq
	if r := ada.react(seq, "+1", true); r.Seq != 0 || !r.Unchanged {
		t.Errorf("a reaction is taken back that never was: %+v", r)
	}
	added := ada.react(seq, "+1", false)
	ada.sees(rpc.PushReacted)
	if r := ada.react(seq, "+1", false); r.Seq != added.Seq || !r.Unchanged || added.Unchanged {
		t.Errorf("a reaction is repeated: %+v after %+v", r, added)
	}
	// In one go, each is judged by what comes before it.
	results := ada.acts(9, func(i int) (string, any) {
		return rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: seq, Name: "+1", Remove: i%2 == 0}
	})
	if last := results[8]; last.Unchanged || last.Seq < results[7].Seq {
		t.Errorf("reactions in one go: %+v", results)
	}
	await.That(t, "the last one counts", func() bool {
		m := ada.join("lobby").Messages
		return len(m) == 1 && len(m[0].Reactions) == 0
	})
	bob.acts(20, func(i int) (string, any) {
		return rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: seq, Name: fmt.Sprint("name ", i)}
	})
	await.That(t, "20 names count", func() bool { return len(ada.join("lobby").Messages[0].Reactions) == 20 })
	if bad := ada.refused(rpc.CodeFull, rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: seq, Name: "one more"}); bad.Data == nil || bad.Data.Limit != 20 {
		t.Errorf("a 21st name: %+v", bad)
	}
	ada.react(seq, "name 7", false)
	ada.acts(1000, func(i int) (string, any) {
		return rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: seq, Body: fmt.Sprint("edit ", i)}
	})
	await.That(t, "1,000 edits are there", func() bool { return ada.join("lobby").Messages[0].Body == "edit 999" })
	if bad := ada.refused(rpc.CodeFull, rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: seq, Body: "one more"}); bad.Data == nil || bad.Data.Limit != 1000 {
		t.Errorf("a 1,001st edit: %+v", bad)
	}
}
