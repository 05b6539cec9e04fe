package tests

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
)

// What bob was away for: more than a join returns.
const (
	missedMessages  = 5000
	missedEdits     = 500
	missedDeletes   = 200
	missedReactions = 300
)

// Whoever was away for long pages forward from where they were. That brings every
// message and every change once, and they show what a newcomer sees.
func TestAwayForLong(t *testing.T) {
	_, first, second := up(t)
	ada, bob := enter(t, first, "ada"), enter(t, second, "bob")
	ada.join("lobby")
	epoch := bob.join("lobby").Epoch
	old := ada.acts(300, func(i int) (string, any) {
		return rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: fmt.Sprint("old ", i)}
	})
	since := int64(0)
	shown := map[int64]rpc.Message{}
	for range old {
		m := bob.hears()
		since, shown[m.Seq] = m.Seq, m.Message
	}
	bob.Cut()
	change(ada, old)

	r := enter(t, second, "bob").joinWith(rpc.JoinParams{Channel: "lobby", Since: &since, Epoch: epoch})
	if r.Recovered == nil || *r.Recovered || r.Reason != rpc.ReasonTooMany {
		t.Fatalf("recovered %v, reason %q", r.Recovered, r.Reason)
	}
	back := enter(t, first, "bob")
	back.join("lobby")
	listed := map[int64]bool{}
	for at, more := since, true; more; {
		page := back.history(rpc.HistoryParams{Channel: "lobby", After: &at, Limit: ptr(300)})
		if n := len(page.Messages) + len(page.Changes) + len(page.Reacted); n > 300 || page.Seq <= at {
			t.Fatalf("a page after %d has %d entries, up to %d", at, n, page.Seq)
		}
		follow(t, shown, listed, &page)
		at, more = page.Seq, page.More
	}
	compareShown(t, shown, everything(enter(t, second, "eve")))
}

// change says, edits, deletes and reacts.
func change(u *user, old []rpc.ActResult) {
	sent := u.acts(missedMessages, func(i int) (string, any) {
		return rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: fmt.Sprint("new ", i)}
	})
	all := append(old, sent...)
	u.acts(missedEdits, func(i int) (string, any) {
		return rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: all[i*7%len(all)].Seq, Body: fmt.Sprint("edited ", i)}
	})
	u.acts(missedReactions, func(i int) (string, any) {
		return rpc.MethodReact, rpc.ReactParams{Channel: "lobby", Seq: all[i*5%len(all)].Seq, Name: "+1"}
	})
	u.acts(missedDeletes, func(i int) (string, any) {
		return rpc.MethodDelete, rpc.DeleteParams{Channel: "lobby", Seq: all[i*11%len(all)].Seq}
	})
}

// acts sends n requests at once and waits for the answers.
func (u *user) acts(n int, of func(i int) (method string, params any)) []rpc.ActResult {
	u.t.Helper()
	results := make([]rpc.ActResult, n)
	var waits []func(context.Context, any) error
	for i := range n {
		method, params := of(i)
		wait, err := u.Start(method, params)
		if err != nil {
			u.t.Fatal(err)
		}
		waits = append(waits, wait)
	}
	for i, wait := range waits {
		err := untilRead(soon(u.t), func(ctx context.Context) error {
			err := wait(ctx, &results[i])
			wait = func(ctx context.Context, result any) error { // where it is asked again
				method, params := of(i)
				return u.Call(ctx, method, params, result)
			}
			return err
		})
		if err != nil {
			u.t.Fatalf("request %d of %d: %v", i, n, err)
		}
	}
	return results
}

// follow takes a page into what is shown. What it says twice, or says of what is not
// shown, is a fault.
func follow(t *testing.T, shown map[int64]rpc.Message, listed map[int64]bool, page *rpc.HistoryResult) {
	t.Helper()
	for _, c := range page.Changes {
		m, known := shown[c.Target]
		if !known || listed[c.Seq] {
			t.Fatalf("the change at %d of the message at %d is listed twice (%v), or of none", c.Seq, c.Target, listed[c.Seq])
		}
		listed[c.Seq] = true
		switch {
		case m.Deleted != nil:
		case c.Edit != nil && (m.Edited == nil || m.Edited.Seq < c.Seq):
			m.Body, m.Edited = c.Edit.Body, &rpc.Edited{Seq: c.Seq, Time: c.Time}
		case c.Delete != nil:
			m = rpc.Message{Channel: m.Channel, Seq: m.Seq, ID: m.ID, User: m.User, Time: m.Time, Trace: m.Trace}
			m.Deleted = &rpc.Deleted{Seq: c.Seq, Time: c.Time, By: rpc.Author{User: c.User}}
		}
		shown[c.Target] = m
	}
	for _, r := range page.Reacted {
		m := shown[r.Target]
		if m.Reactions = nil; m.Deleted == nil {
			for name, n := range r.Counts {
				m.Reactions = append(m.Reactions, rpc.Reaction{Name: name, Count: n})
			}
		}
		shown[r.Target] = m
	}
	for _, m := range page.Messages {
		if _, twice := shown[m.Seq]; twice {
			t.Fatalf("the message at %d is listed twice", m.Seq)
		}
		shown[m.Seq] = m
	}
}

// everything is what a newcomer reads, page by page, the newest first.
func everything(u *user) map[int64]rpc.Message {
	u.join("lobby")
	all := map[int64]rpc.Message{}
	for p, more := (rpc.HistoryParams{Channel: "lobby", Limit: ptr(300)}), true; more; {
		page := u.history(p)
		for _, m := range page.Messages {
			all[m.Seq] = m
		}
		if more = page.More; more {
			p.Before = &page.Messages[0].Seq
		}
	}
	return all
}

func compareShown(t *testing.T, shown, all map[int64]rpc.Message) {
	t.Helper()
	if len(shown) != len(all) || len(all) != 300+missedMessages {
		t.Errorf("%d messages are shown, a newcomer sees %d", len(shown), len(all))
	}
	wrong := 0
	for seq, want := range all {
		if m := shown[seq]; !reflect.DeepEqual(m, want) {
			if wrong++; wrong < 5 {
				t.Errorf("shown is %+v, a newcomer sees %+v", m, want)
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d messages are shown otherwise than they are", wrong)
	}
}
