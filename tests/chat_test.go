package tests

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/schema/rpc"
)

func TestTwoPeopleOnDifferentConnectors(t *testing.T) {
	_, first, second := up(t)
	ada := enter(t, first, "ada")
	r := ada.join("lobby")
	if r.Seq < 1 || r.Count != 1 || !slices.Equal(names(r.Members), []string{"ada"}) || len(r.Messages) != 0 || r.More {
		t.Fatalf("ada's join: %+v", r)
	}
	bob := enter(t, second, "bob")
	if r := bob.join("lobby"); !slices.Equal(names(r.Members), []string{"ada", "bob"}) {
		t.Fatalf("bob's join: %+v", r)
	}
	if p := ada.sees(rpc.PushJoined); p.Channel() != "lobby" || !strings.Contains(string(p.Params), `"user":"bob"`) {
		t.Errorf("ada sees %s", p.Params)
	}
	ack := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "hi\x00 <b>大厅</b>", ID: "m1"})
	for _, u := range []*user{ada, bob} {
		m := u.hears()
		if m.Seq != ack.Seq || m.ID != "m1" || m.User != "ada" || m.Body != "hi\x00 <b>大厅</b>" || m.Time != ack.Time {
			t.Errorf("%s hears %+v, acknowledged was %+v", u.name, m, ack)
		}
	}
	bob.leave("lobby")
	if p := ada.sees(rpc.PushLeft); !strings.Contains(string(p.Params), `"reason":"leave"`) {
		t.Errorf("ada sees %s", p.Params)
	}
	bob.refused(rpc.CodeNotJoined, rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: "x"})
	if got := ada.members("lobby"); !slices.Equal(got, []string{"ada"}) {
		t.Errorf("members %v", got)
	}
}

// Everybody gets every message, in one order, without a gap, while people come
// and go on two connectors.
func TestOneOrderForAll(t *testing.T) {
	_, first, second := up(t)
	const talkers, each = 6, 50
	channels := []string{"a", "b", "c"}
	var all []*user
	for i := range talkers {
		u := enter(t, []string{first, second}[i%2], fmt.Sprint("user", i))
		for _, ch := range channels {
			u.join(ch)
		}
		all = append(all, u)
	}
	var talking sync.WaitGroup
	for _, u := range all {
		talking.Go(func() {
			for i := range each {
				u.chat(channels[i%len(channels)], fmt.Sprint(u.name, " ", i))
			}
		})
	}
	heard := make([]map[string][]int64, talkers)
	var listening sync.WaitGroup
	for i, u := range all {
		heard[i] = map[string][]int64{}
		listening.Go(func() {
			for range talkers * each {
				m := u.hears()
				heard[i][m.Channel] = append(heard[i][m.Channel], m.Seq)
			}
		})
	}
	talking.Wait()
	listening.Wait()
	for i := range all {
		for _, ch := range channels {
			if !slices.Equal(heard[i][ch], heard[0][ch]) || !slices.IsSorted(heard[i][ch]) {
				t.Errorf("in %s user %d heard %v, user 0 %v", ch, i, heard[i][ch], heard[0][ch])
			}
		}
	}
}

func TestPrivateMessagesReachTheirTwoUsersOnly(t *testing.T) {
	_, first, second := up(t)
	ada, ada2, bob, eve := enter(t, first, "ada"), enter(t, second, "ada"), enter(t, second, "bob"), enter(t, first, "eve")
	for _, u := range []*user{ada, ada2, bob, eve} {
		u.join("lobby")
	}
	before := ada.chat("lobby", "public 1")
	secret := ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "secret", To: "bob"})
	after := bob.chat("lobby", "public 2")
	for _, u := range []*user{ada, ada2, bob} {
		u.hears()
		if m := u.hears(); m.Body != "secret" || m.To != "bob" || m.Seq != secret.Seq || m.Prev != before.Seq {
			t.Errorf("%s hears %+v", u.name, m)
		}
		if m := u.hears(); m.Seq != after.Seq {
			t.Errorf("%s hears %+v", u.name, m)
		}
	}
	eve.hears()
	if m := eve.hears(); m.Seq != after.Seq || m.Prev != before.Seq {
		t.Errorf("eve hears %+v", m)
	}
	for name, want := range map[string][]string{"eve": {"public 1", "public 2"}, "bob": {"public 1", "secret", "public 2"}} {
		u := enter(t, second, name)
		if got := bodies(u.join("lobby").Messages); !slices.Equal(got, want) {
			t.Errorf("%s joins later and sees %v", name, got)
		}
		if got := bodies(u.history(rpc.HistoryParams{Channel: "lobby"}).Messages); !slices.Equal(got, want) {
			t.Errorf("%s's history is %v", name, got)
		}
		r := u.joinWith(rpc.JoinParams{Channel: "lobby", Since: ptr(before.Seq - 1), Epoch: u.hello.Epoch})
		if got := bodies(r.Messages); !slices.Equal(got, want) {
			t.Errorf("%s recovers %v", name, got)
		}
	}
}

func TestAMessageToAnAbsentUserIsKept(t *testing.T) {
	_, first, _ := up(t)
	ada := enter(t, first, "ada")
	ada.join("lobby")
	ada.chatWith(rpc.ChatParams{Channel: "lobby", Body: "for later", To: "zoe"})
	if r := enter(t, first, "zoe").join("lobby"); !slices.Equal(bodies(r.Messages), []string{"for later"}) {
		t.Errorf("zoe sees %v", r.Messages)
	}
}

func TestARetryIsOneMessage(t *testing.T) {
	_, first, second := up(t)
	ada, bob := enter(t, first, "ada"), enter(t, second, "bob")
	ada.join("lobby")
	bob.join("lobby")
	said := rpc.ChatParams{Channel: "lobby", Body: "once", ID: "retry-1"}
	original := ada.chatWith(said)
	ada.hears()
	if again := ada.chatWith(said); again.Seq != original.Seq || again.Time != original.Time {
		t.Errorf("the retry is answered with %+v, the original with %+v", again, original)
	}
	elsewhere := enter(t, second, "ada")
	elsewhere.join("lobby")
	elsewhere.chatWith(said)
	ada.chat("lobby", "end")
	if one, end := bob.hears(), bob.hears(); one.Body != "once" || end.Body != "end" || end.Prev != original.Seq {
		t.Errorf("bob hears %+v and %+v", one, end)
	}
	r := enter(t, first, "eve").join("lobby")
	if got := bodies(r.Messages); !slices.Equal(got, []string{"once", "end"}) {
		t.Errorf("history has %v", got)
	}
}

func TestSeveralSessionsOfAUser(t *testing.T) {
	_, first, second := up(t)
	watcher := enter(t, first, "watcher")
	watcher.join("lobby")
	one, two := enter(t, first, "ada"), enter(t, second, "ada")
	one.join("lobby")
	if r := two.join("lobby"); r.Count != 2 {
		t.Errorf("count %d with two users", r.Count)
	}
	one.leave("lobby")
	two.chat("lobby", "still here")
	two.leave("lobby")
	var seen []string
	for len(seen) < 3 {
		p, err := watcher.Next(soon(t))
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, p.Method)
	}
	if want := []string{rpc.PushJoined, rpc.PushChat, rpc.PushLeft}; !slices.Equal(seen, want) {
		t.Errorf("the watcher saw %v, want %v", seen, want)
	}
}

func TestJoiningTwice(t *testing.T) {
	_, first, second := up(t)
	ada, bob := enter(t, first, "ada"), enter(t, second, "bob")
	a := ada.join("lobby")
	bob.join("lobby")
	ack := bob.chat("lobby", "hi")
	ada.hears()
	again := ada.joinWith(rpc.JoinParams{Channel: "lobby", Since: &a.Seq, Epoch: a.Epoch})
	if again.Seq < ack.Seq || again.Last != ack.Seq || !*again.Recovered || !slices.Equal(bodies(again.Messages), []string{"hi"}) {
		t.Errorf("the second join: %+v", again)
	}
	bob.chat("lobby", "end")
	if p, err := bob.Next(soon(t)); err != nil || p.Method != rpc.PushChat {
		t.Errorf("bob is told %s, %v", p.Method, err)
	}
}

// Requests need not wait for each other: what is sent after a join is done
// after it.
func TestPipelining(t *testing.T) {
	_, first, _ := up(t)
	ada := enter(t, first, "ada")
	start := func(method string, params any) func(any) error {
		wait, err := ada.Start(method, params)
		if err != nil {
			t.Fatal(err)
		}
		return func(result any) error { return wait(soon(t), result) }
	}
	join := start(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby"})
	var chats []func(any) error
	for i := range 500 {
		chats = append(chats, start(rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: fmt.Sprint(i)}))
	}
	history := start(rpc.MethodHistory, rpc.HistoryParams{Channel: "lobby"})
	members := start(rpc.MethodMembers, rpc.MembersParams{Channel: "lobby"})
	leave := start(rpc.MethodLeave, rpc.LeaveParams{Channel: "lobby"})
	rejoin := start(rpc.MethodJoin, rpc.JoinParams{Channel: "lobby", Limit: ptr(2)})
	var joined, rejoined rpc.JoinResult
	if err := join(&joined); err != nil {
		t.Fatal(err)
	}
	last := joined.Seq
	for i, chat := range chats {
		var r rpc.ActResult
		if err := chat(&r); err != nil || r.Seq <= last {
			t.Fatalf("chat %d: %+v after %d, %v", i, r, last, err)
		}
		last = r.Seq
	}
	var h rpc.HistoryResult
	var m rpc.MembersResult
	for _, err := range []error{history(&h), members(&m), leave(nil), rejoin(&rejoined)} {
		if err != nil {
			t.Error(err)
		}
	}
	if m.Count != 1 || len(rejoined.Messages) > 2 {
		t.Errorf("members %+v, rejoined %+v", m, rejoined)
	}
	// The leave may be taken back, so the second result need not reach the end: what it lacks comes after it.
	for newest := rejoined.Last; newest < last; {
		p, err := ada.NextChat(soon(t))
		if err != nil {
			t.Fatalf("after %d of %d: %v", newest, last, err)
		}
		if p.Seq <= rejoined.Seq {
			continue
		}
		if p.Prev != newest {
			t.Fatalf("the message at %d follows %d, not %d", p.Seq, p.Prev, newest)
		}
		newest = p.Seq
	}
}

func TestPresenceInACrowd(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Presence = 3 }).addr
	watcher := enter(t, url, "u0")
	watcher.join("hall")
	for i := range 5 {
		enter(t, url, fmt.Sprint("v", i)).join("hall")
	}
	if p := watcher.sees(rpc.PushPresence); !strings.Contains(string(p.Params), `"count":`) || p.Seq() == 0 {
		t.Errorf("presence %s", p.Params)
	}
}
