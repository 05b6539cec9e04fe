package tests

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

// What a backend publishes reaches members like any message, marked as a backend's, and
// a retry makes no second one, whichever connector gets it.
func TestBackendPublishes(t *testing.T) {
	c, first, _ := up(t)
	_, shop := c.backend()
	_, other := c.backend()
	bob := enter(t, first, "bob")
	bob.join("lobby")
	publish := rpc.PublishParams{ChatParams: rpc.ChatParams{Channel: "lobby", Body: "sent", ID: "order-1", Type: "order", Data: json.RawMessage(`{"n":1}`)}, User: "ada", Info: json.RawMessage(`{"name": "Ada"}`)}
	var sent rpc.PublishResult
	shop.call(rpc.MethodPublish, publish, &sent)
	if m := bob.hears(); m.Seq != sent.Seq || m.User != "ada" || m.Origin != rpc.OriginBackend || m.Key != "shop" || m.Type != "order" || string(m.Info) != `{"name":"Ada"}` || sent.Epoch == "" {
		t.Errorf("bob hears %+v, and the backend was told %+v", m, sent)
	}
	publish.Retry = true
	for _, b := range []*backend{shop, other} {
		var again rpc.PublishResult
		if b.call(rpc.MethodPublish, publish, &again); again != sent {
			t.Errorf("a retry is answered %+v, the message is at %+v", again, sent)
		}
	}
	// Ids of clients are apart.
	ada := enter(t, first, "ada")
	ada.join("lobby")
	said := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "mine", ID: "order-1"})
	if m := bob.hears(); m.Seq != said.Seq || m.Body != "mine" || m.Origin != "" {
		t.Errorf("bob hears %+v after ada said something at %d", m, said.Seq)
	}
	var members rpc.MembersResult
	shop.call(rpc.MethodMembers, rpc.MembersParams{Channel: "lobby"}, &members)
	if got := fmt.Sprint(names(members.Members)); got != "[ada bob]" || members.Count != 2 {
		t.Errorf("the members are %s, %d", got, members.Count)
	}
}

// A message answers one of the log, of whichever connector it came, or is refused as
// that of a client.
func TestBackendReplies(t *testing.T) {
	c, first, _ := up(t)
	_, shop := c.backend()
	_, other := c.backend()
	bob := enter(t, first, "bob")
	bob.join("lobby")
	publish := rpc.PublishParams{ChatParams: rpc.ChatParams{Channel: "lobby", Body: "asked"}, User: "ada"}
	var sent rpc.PublishResult
	shop.call(rpc.MethodPublish, publish, &sent)
	bob.hears()
	publish.Reply = sent.Seq
	for _, b := range []*backend{shop, other} {
		var answered rpc.PublishResult
		b.call(rpc.MethodPublish, publish, &answered)
		if m := bob.hears(); m.Seq != answered.Seq || m.Reply != sent.Seq {
			t.Errorf("bob hears %+v, which answers %d", m, sent.Seq)
		}
	}
	chat := rpc.ChatParams{Channel: "lobby", Body: "x", Reply: 1 << 50}
	publish.Reply = chat.Reply
	want := bob.refused(rpc.CodeInvalidParams, rpc.MethodChat, chat)
	for _, b := range []*backend{shop, other} {
		if bad := b.refused(rpc.CodeInvalidParams, rpc.MethodPublish, publish); bad.Message != want.Message || bad.Data == nil || bad.Data.Field != "reply" {
			t.Errorf("an answer to what is to come is refused with %+v, that of a client with %+v", bad, want)
		}
	}
	// The least that is to come is the seq that the answer itself would get, unless
	// somebody else wrote to the partition just then.
	await.That(t, "an answer to itself is refused", func() bool {
		publish.Reply = 0
		shop.call(rpc.MethodPublish, publish, &sent)
		publish.Reply = sent.Seq + 1
		bad := shop.ask(rpc.MethodPublish, publish).Error
		return bad != nil && bad.Code == rpc.CodeInvalidParams
	})
}

// A backend sees private messages of others only where it may audit, and waits for what
// it knows of.
func TestBackendReads(t *testing.T) {
	c, first, _ := up(t)
	_, all := c.backends(map[string]string{
		"auditor": `[{"channels": ["*"], "allow": ["audit", "api"]}]`, "shop": `[{"channels": ["*"], "allow": ["api"]}]`,
	}, nil)
	auditor, shop := all["auditor"], all["shop"]
	ada, bob := enter(t, first, "ada"), enter(t, first, "bob")
	ada.join("lobby")
	bob.join("lobby")
	whisper := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "psst", To: "bob"})
	bob.call(rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: whisper.Seq, Name: "x"}, nil)
	public := ada.chat("lobby", "hi")
	page := func(as string) rpc.BackendHistoryParams {
		return rpc.BackendHistoryParams{HistoryParams: rpc.HistoryParams{Channel: "lobby"}, As: as, Min: public.Seq}
	}
	for _, as := range []struct {
		by   *backend
		user string
		want string
	}{{auditor, "", "[psst hi]"}, {shop, "bob", "[psst hi]"}, {shop, "ada", "[psst hi]"}, {shop, "eve", "[hi]"}} {
		var r rpc.HistoryResult
		as.by.call(rpc.MethodHistory, page(as.user), &r)
		var bodies []string
		for _, m := range r.Messages {
			bodies = append(bodies, m.Body)
		}
		if got := fmt.Sprint(bodies); got != as.want {
			t.Errorf("as %q the page is %s, want %s", as.user, got, as.want)
		}
	}
	shop.refused(rpc.CodeForbidden, rpc.MethodHistory, page(""))
	find := func(as string) rpc.BackendSearchParams {
		return rpc.BackendSearchParams{SearchParams: rpc.SearchParams{Channel: "lobby", Query: "psst"}, As: as}
	}
	await.That(t, "the auditor finds what was whispered", func() bool {
		var r rpc.SearchResult
		auditor.call(rpc.MethodSearch, find(""), &r)
		return len(r.Messages) == 1 && r.Messages[0].Seq == whisper.Seq
	})
	for user, want := range map[string]int{"ada": 1, "bob": 1, "eve": 0} {
		var r rpc.SearchResult
		if shop.call(rpc.MethodSearch, find(user), &r); len(r.Messages) != want {
			t.Errorf("as %q a search finds %+v, want %d", user, r.Messages, want)
		}
	}
	shop.refused(rpc.CodeForbidden, rpc.MethodSearch, find(""))
	shop.refused(rpc.CodeInvalidParams, rpc.MethodSearch, rpc.BackendSearchParams{SearchParams: rpc.SearchParams{Query: "psst"}, As: "bob"})
	reactions := rpc.BackendReactionsParams{ReactionsParams: rpc.ReactionsParams{Channel: "lobby", Seq: whisper.Seq}}
	var who rpc.ReactionsResult
	auditor.call(rpc.MethodReactions, reactions, &who)
	if len(who.Users) != 1 || who.Users[0].User != "bob" {
		t.Errorf("the auditor sees %+v react", who.Users)
	}
	shop.refused(rpc.CodeForbidden, rpc.MethodReactions, reactions)
	reactions.As = "eve"
	shop.refused(rpc.CodeGone, rpc.MethodReactions, reactions)
}

// What a backend changes and moderates is by its key, and what stops users does not
// stop it.
func TestBackendChangesAndModerates(t *testing.T) {
	c, first, _ := up(t)
	_, all := c.backends(map[string]string{"trust": allActions, "shop": `[{"channels": ["*"], "allow": ["api"]}]`}, nil)
	trust, shop := all["trust"], all["shop"]
	ada, bob := enter(t, first, "ada"), enter(t, first, "bob")
	ada.join("lobby")
	bob.join("lobby")
	said := ada.chat("lobby", "buy now")
	edit := rpc.BackendEditParams{EditParams: rpc.EditParams{Channel: "lobby", Seq: said.Seq, Body: "edited", ID: "e1"}, User: "ada"}
	var changed rpc.ActResult
	shop.call(rpc.MethodEdit, edit, &changed)
	edit.Retry = true
	var again rpc.ActResult
	if shop.call(rpc.MethodEdit, edit, &again); again != changed {
		t.Errorf("the retry of an edit is answered %+v, it is at %+v", again, changed)
	}
	edit.User, edit.ID = "bob", "e2"
	shop.refused(rpc.CodeForbidden, rpc.MethodEdit, edit)
	trust.call(rpc.MethodEdit, edit, nil)
	shop.call(rpc.MethodReact, rpc.BackendReactParams{ReactParams: rpc.ReactParams{Channel: "lobby", Seq: said.Seq, Name: "x"}, User: "bob"}, nil)
	trust.call(rpc.MethodPin, rpc.PinParams{Channel: "lobby", Seq: said.Seq}, nil)
	shop.refused(rpc.CodeForbidden, rpc.MethodMute, rpc.SanctionParams{Channel: "lobby", User: "ada"})
	var muted rpc.ActResult
	trust.call(rpc.MethodMute, rpc.SanctionParams{Channel: "lobby", User: "ada", Reason: "spam", ID: "m1"}, &muted)
	trust.call(rpc.MethodMute, rpc.SanctionParams{Channel: "lobby", User: "ada", Reason: "spam", ID: "m1", Retry: true}, &again)
	if again != muted {
		t.Errorf("the retry of a mute is answered %+v, it is at %+v", again, muted)
	}
	await.That(t, "ada is muted", func() bool {
		bad, _ := ada.Call(soon(t), rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "still"}, nil).(*rpc.Error)
		return bad != nil && bad.Code == rpc.CodeSanctioned && bad.Data.Reason == "spam"
	})
	frozen := true
	var set rpc.ActResult
	trust.call(rpc.MethodSet, rpc.SetParams{Channel: "lobby", Frozen: &frozen}, &set)
	var sanctions rpc.SanctionsResult
	trust.call(rpc.MethodSanctions, rpc.BackendSanctionsParams{SanctionsParams: rpc.SanctionsParams{Channel: "lobby"}, Min: set.Seq}, &sanctions)
	if len(sanctions.Sanctions) != 1 || sanctions.Sanctions[0].By.Key != "trust" {
		t.Errorf("the sanctions are %+v", sanctions.Sanctions)
	}
	// Neither the mute nor the freeze binds the API.
	shop.call(rpc.MethodPublish, rpc.PublishParams{ChatParams: rpc.ChatParams{Channel: "lobby", Body: "on behalf"}, User: "ada"}, nil)
	shop.call(rpc.MethodDelete, rpc.BackendDeleteParams{DeleteParams: rpc.DeleteParams{Channel: "lobby", Seq: said.Seq}, User: "ada"}, nil)
	var ban rpc.ActResult
	trust.call(rpc.MethodBan, rpc.SanctionParams{Channel: "lobby", User: "bob"}, &ban)
	await.That(t, "bob cannot join any more", func() bool {
		bad, _ := bob.Call(soon(t), rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"}, nil).(*rpc.Error)
		return bad != nil && bad.Code == rpc.CodeSanctioned
	})
	page := ada.history(rpc.HistoryParams{Channel: "lobby"})
	if m := page.Messages[0]; m.Deleted == nil || m.Deleted.By.User != "ada" && m.Deleted.By.Key != "shop" {
		t.Errorf("the message is %+v", m)
	}
}

// A batch about one channel is taken up in its order, and a broadcast says what became
// of each channel.
func TestBackendBatches(t *testing.T) {
	c, first, _ := up(t)
	_, all := c.backends(map[string]string{"shop": `[{"channels": ["shop-*"], "allow": ["api"]}]`}, nil)
	shop := all["shop"]
	bob := enter(t, first, "bob")
	bob.join("shop-1")
	var requests []string
	for i := range api.MaxBatch {
		requests = append(requests, requestText(i+1, rpc.MethodPublish, rpc.PublishParams{ChatParams: rpc.ChatParams{Channel: "shop-1", Body: fmt.Sprint(i)}, User: "ada"}))
	}
	answers := shop.batch(requests...)
	for i := range api.MaxBatch {
		if m := bob.hears(); m.Body != fmt.Sprint(i) || answers[i+1].Error != nil {
			t.Fatalf("message %d is %q, answered %+v", i, m.Body, answers[i+1])
		}
	}
	var r rpc.BroadcastResult
	shop.call(rpc.MethodBroadcast, rpc.BroadcastParams{Channels: []string{"shop-2", "else", "shop-1"}, User: "ada", Body: "all", ID: "b1"}, &r)
	if len(r.Results) != 3 || r.Results[0].PublishResult == nil || r.Results[0].ID != "b1" ||
		r.Results[1].Error == nil || r.Results[1].Error.Code != rpc.CodeForbidden || r.Results[2].Channel != "shop-1" {
		t.Errorf("the broadcast is answered %+v", r.Results)
	}
	if m := bob.hears(); m.Body != "all" || m.ID != "b1" || m.Seq != r.Results[2].Seq {
		t.Errorf("bob hears %+v", m)
	}
	notification := strings.Replace(requests[0], `"id":1,`, "", 1)
	if status, body := shop.send(http.MethodPost, "/v1/rpc", "["+notification+"]"); status != http.StatusNoContent || body != "" {
		t.Errorf("a batch of notifications is answered %d %s", status, body)
	}
	if m := bob.hears(); m.Body != "0" {
		t.Errorf("bob hears %+v of the notification", m)
	}
}

// A connector without clients serves the API, knows the channels that have members, and
// ends sessions of others.
func TestBackendAdministers(t *testing.T) {
	c, first, _ := up(t)
	_, all := c.backends(map[string]string{"ops": allActions, "shop": `[{"channels": ["*"], "allow": ["api"]}]`}, func(cfg *connector.Config) { cfg.NoClients = true })
	ops := all["ops"]
	ada, bob := enter(t, first, "ada"), enter(t, first, "bob")
	again := enter(t, first, "bob")
	ada.join("a/1")
	bob.join("a/1")
	again.join("a/1")
	ada.join("a/2")
	ada.join("b")
	said := ada.chat("a/1", "hi")
	want := fmt.Sprintf("[{a/1 2 %d} {a/2 1 0}]", said.Seq)
	await.That(t, "the channels are listed", func() bool {
		var r rpc.ChannelsResult
		ops.call(rpc.MethodChannels, rpc.ChannelsParams{Prefix: "a/"}, &r)
		return fmt.Sprint(r.Channels) == want && !r.More
	})
	one := 1
	var r rpc.ChannelsResult
	if ops.call(rpc.MethodChannels, rpc.ChannelsParams{After: "a/1", Limit: &one}, &r); len(r.Channels) != 1 || r.Channels[0].Channel != "a/2" || !r.More {
		t.Errorf("after a/1 comes %+v", r)
	}
	all["shop"].refused(rpc.CodeForbidden, rpc.MethodChannels, rpc.ChannelsParams{})
	var info rpc.InfoResult
	await.That(t, "all that runs is told", func() bool {
		info = rpc.InfoResult{}
		ops.call(rpc.MethodInfo, rpc.Empty{}, &info)
		return len(info.Connectors) == 3 && len(info.Groups) == 2
	})
	if info.Epoch != ada.hello.Epoch || info.Format != 2 {
		t.Errorf("what runs is %+v", info)
	}
	ops.call(rpc.MethodDisconnect, rpc.DisconnectParams{User: "bob", Session: bob.hello.Session}, nil)
	if code, err := bob.Ended(soon(t)); code != rpc.CloseAdmin {
		t.Errorf("bob is closed with %d, %v", code, err)
	}
	ops.call(rpc.MethodDisconnect, rpc.DisconnectParams{User: "nobody"}, nil)
	ops.call(rpc.MethodDisconnect, rpc.DisconnectParams{User: "bob", Reconnect: true}, nil)
	if code, err := again.Ended(soon(t)); code != rpc.CloseTryLater {
		t.Errorf("bob's other session is closed with %d, %v", code, err)
	}
	ops.call(rpc.MethodBar, rpc.BarParams{User: "ada", Reason: "enough"}, nil)
	if code, err := ada.Ended(soon(t)); code != rpc.CloseAdmin {
		t.Errorf("ada is closed with %d, %v", code, err)
	}
	past := time.Now().Add(-time.Hour).UnixMilli()
	ops.call(rpc.MethodBar, rpc.BarParams{User: "ada", Until: &past}, nil)
	await.That(t, "ada may come back", func() bool {
		back, _, err := client.Enter(soon(t), first, "ada")
		if err == nil {
			back.Cut()
		}
		return err == nil
	})
}

// The routes for curl have the body alone, and statuses.
func TestBackendRoutes(t *testing.T) {
	c, _, _ := up(t)
	_, all := c.backends(map[string]string{"shop": `[{"channels": ["shop/*"], "allow": ["api", "audit"]}]`}, nil)
	shop := all["shop"]
	status, body := shop.send(http.MethodPost, "/v1/messages", `{"channel":"shop/a b","user":"ada","body":"hi","id":"x"}`)
	var sent rpc.PublishResult
	if err := json.Unmarshal([]byte(body), &sent); err != nil || status != http.StatusOK || sent.ID != "x" || sent.Seq == 0 {
		t.Fatalf("a message is answered %d %s", status, body)
	}
	status, body = shop.send(http.MethodGet, fmt.Sprintf("/v1/messages?channel=shop/a%%20b&min=%d&limit=5", sent.Seq), "")
	var page rpc.HistoryResult
	if err := json.Unmarshal([]byte(body), &page); err != nil || status != http.StatusOK || len(page.Messages) != 1 {
		t.Errorf("the page is answered %d %s", status, body)
	}
	for _, r := range []struct {
		method, path, body string
		want               int
	}{
		{"GET", "/v1/members?channel=shop/a%20b", "", 200}, {"GET", "/v1/members?channel=else", "", 403}, {"GET", "/v1/members", "", 400},
		{"GET", "/v1/channels", "", 403}, {"GET", "/v1/messages?channel=shop/a&limit=x", "", 400}, {"GET", "/v1/messages?channel=shop/a&limit=1&limit=2", "", 400},
		{"GET", "/v1/messages?channel=shop/%00", "", 400}, {"GET", "/v1/messages?channel=shop/%ff", "", 400}, {"GET", "/v1/messages?channel=%zz", "", 400},
		{"POST", "/v1/messages", `{"channel":"else","user":"ada","body":"hi"}`, 403}, {"POST", "/v1/messages", `{"channel":"shop/a","body":"hi"}`, 400},
		{"POST", "/v1/messages", fmt.Sprintf(`{"channel":"shop/a","user":"ada","body":%q}`, strings.Repeat("x", 5000)), 413},
		{"POST", "/v1/messages", `[]`, 400}, {"POST", "/v1/messages", ``, 400}, {"POST", "/v1/messages", `{"channel":`, 400},
		{"DELETE", "/v1/messages", "", 405}, {"GET", "/v1/nothing", "", 404}, {"GET", "/v1/openapi.json", "", 200}, {"GET", "/v1/rpc", "", 405},
	} {
		if status, body := shop.send(r.method, r.path, r.body); status != r.want {
			t.Errorf("%s %s %.60s is answered %d %s, want %d", r.method, r.path, r.body, status, body, r.want)
		}
	}
	if !bytes.Contains([]byte(body), []byte(`"origin":"backend"`)) {
		t.Errorf("the page is %s", body)
	}
}

// Channels whose names other programs take for paths or encodings are channels like any
// other, by every way.
func TestBackendOddChannels(t *testing.T) {
	c, first, _ := up(t)
	_, shop := c.backend()
	bob := enter(t, first, "bob")
	for _, name := range []string{"a/b", "/", "..", "../v1/channels", "%00", "a%2Fb", "a?channel=b", "a&as=bob"} {
		bob.join(name)
		status, body := shop.send(http.MethodPost, "/v1/messages", fmt.Sprintf(`{"channel":%q,"user":"ada","body":%q}`, name, name))
		var sent rpc.PublishResult
		if err := json.Unmarshal([]byte(body), &sent); err != nil || status != http.StatusOK {
			t.Fatalf("a message in %q is answered %d %s", name, status, body)
		}
		if m := bob.hears(); m.Channel != name || m.Body != name || m.Seq != sent.Seq {
			t.Errorf("of the message in %q bob hears %+v", name, m)
		}
		query := url.Values{"channel": {name}, "min": {fmt.Sprint(sent.Seq)}}.Encode()
		var page rpc.HistoryResult
		_, body = shop.send(http.MethodGet, "/v1/messages?"+query, "")
		if err := json.Unmarshal([]byte(body), &page); err != nil || len(page.Messages) != 1 || page.Messages[0].Body != name {
			t.Errorf("the page of %q is %s", name, body)
		}
		var there rpc.MembersResult
		_, body = shop.send(http.MethodGet, "/v1/members?"+url.Values{"channel": {name}}.Encode(), "")
		if err := json.Unmarshal([]byte(body), &there); err != nil || there.Count != 1 {
			t.Errorf("the members of %q are %s", name, body)
		}
	}
}
