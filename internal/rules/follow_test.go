package rules_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/schema"
)

// seen are the changes that a follower told.
type seen struct {
	mu  sync.Mutex
	all []string
}

func (s *seen) note(c rules.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := c.Kind.String() + " " + c.Name
	if c.Order != nil {
		text += " " + c.Order.Session
	}
	s.all = append(s.all, text)
}

func (s *seen) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.all, text)
}

func (w *world) barred(t *rules.Table, user string) bool {
	_, barred := t.Barred(user, time.Now())
	return barred
}

// A follower has read everything when it says so, follows what comes, and skips
// what is not valid, by its position. Orders of before are not for it.
func TestFollow(t *testing.T) {
	w := newWorld(t, true)
	w.write(bar("ada", "spam"), order("ada", "before"))
	w.append("barred/bob", []byte("no bar at all"))
	w.append("frozen/bob", []byte("of another version"))
	w.write(rules.Rule{Kind: rules.Revoked, Name: "ada", Value: &schema.Revocation{Before: 1}})
	table, changes, skipped := rules.NewTable(), &seen{}, make(chan int64, 10)
	f := w.follow(rules.FollowConfig{Table: table, Changed: changes.note, Skipped: func(offset int64, _ error) { skipped <- offset }})
	w.wait("it caught up", f.CaughtUp())
	if !w.barred(table, "ada") || table.Revocation("ada") == nil || w.barred(table, "bob") {
		t.Errorf("it caught up, and has %v", table.Rules())
	}
	if at := <-skipped; at != 2 {
		t.Errorf("the record at %d was skipped", at)
	}
	w.write(order("ada", "now"), bar("eve", ""))
	await.That(t, "eve is barred", func() bool { return changes.has("barred eve") })
	w.write(rules.Rule{Kind: rules.Barred, Name: "eve"}) // a tombstone
	await.That(t, "eve is not barred", func() bool { return !w.barred(table, "eve") })
	if changes.has("order ada before") || !changes.has("order ada now") || !changes.has("barred ada") {
		t.Errorf("the changes were %q", changes.all)
	}
	if trouble := f.Trouble(); trouble != "" {
		t.Error(trouble)
	}
}

// A topic that is not there yet, as where no role has this version, is waited for.
func TestFollowBeforeThereIsATopic(t *testing.T) {
	w := newWorld(t, false)
	f := w.follow(rules.FollowConfig{Table: rules.NewTable()})
	select {
	case <-f.CaughtUp():
		t.Fatal("it caught up without a topic")
	case <-time.After(200 * time.Millisecond):
	}
	w.create()
	w.wait("it caught up", f.CaughtUp())
	for _, err := range []error{w.writeWithout(), w.loadWithout(), w.revokeWithout()} {
		if !errors.Is(err, eventlog.ErrUnknownTopic) {
			t.Errorf("without a topic: %v", err)
		}
	}
}

func (w *world) without() {
	w.t.Helper()
	if err := admin.DeleteTopic(w.ctx, w.client, schema.TopicRules); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) writeWithout() error {
	w.without()
	return rules.Write(w.ctx, w.client, bar("ada", ""))
}

func (w *world) loadWithout() error {
	_, err := rules.Load(w.ctx, w.client)
	return err
}

func (w *world) revokeWithout() error {
	_, err := rules.Revoke(w.ctx, w.client, "ada", &schema.Revocation{Before: 1})
	return err
}

// A topic that was deleted and created again is followed from its beginning, and
// what the old one said stays in force.
func TestFollowReplacedTopic(t *testing.T) {
	w := newWorld(t, true)
	w.write(bar("ada", ""), bar("bob", ""), bar("eve", ""))
	table, changes := rules.NewTable(), &seen{}
	f := w.follow(rules.FollowConfig{Table: table, Changed: changes.note})
	w.wait("it caught up", f.CaughtUp())
	w.without()
	w.create()
	w.write(bar("new", ""), rules.Rule{Kind: rules.Barred, Name: "ada"})
	await.That(t, "the new topic is read", func() bool { return changes.has("barred new") && !w.barred(table, "ada") })
	if !w.barred(table, "bob") {
		t.Error("what the old topic said is forgotten")
	}
}

// A writer writes the later time, and the newest record has it, however many
// write at once.
func TestRevokeKeepsTheLaterTime(t *testing.T) {
	w := newWorld(t, true)
	revoke := func(before int64) *schema.Revocation {
		r, err := rules.Revoke(w.ctx, w.client, "ada", &schema.Revocation{Before: before, Reason: "lost phone"})
		if err != nil {
			t.Error(err)
		}
		return r
	}
	if r := revoke(500); r.GetBefore() != 500 {
		t.Errorf("first: %v", r)
	}
	if r := revoke(400); r.GetBefore() != 500 {
		t.Errorf("an earlier time: %v", r)
	}
	var all sync.WaitGroup
	for i := range int64(8) {
		all.Add(1)
		go func() {
			defer all.Done()
			revoke(1000 + i)
		}()
	}
	all.Wait()
	var newest []byte
	_, end, err := w.client.Offsets(w.ctx, schema.TopicRules, 0)
	if err != nil {
		t.Fatal(err)
	}
	err = w.client.ReadRange(w.ctx, schema.TopicRules, 0, 0, end, 0, func(r eventlog.Record) error {
		newest = slices.Clone(r.Value)
		return nil
	})
	r, bad := rules.Decode("revoked/ada", newest)
	if got := r.Value.(*schema.Revocation); err != nil || bad != nil || got.Before != 1007 || got.Reason != "lost phone" {
		t.Errorf("the newest record is %v (%v, %v)", r.Value, err, bad)
	}
}

// Nothing is written that readers would skip.
func TestWriteRefusesWhatIsNotValid(t *testing.T) {
	w := newWorld(t, true)
	err := rules.Write(w.ctx, w.client, bar("ada", ""), bar("", ""))
	if err == nil || !strings.Contains(err.Error(), "the user must be 1 to 128 bytes") {
		t.Errorf("error %v", err)
	}
	l, err := rules.Load(w.ctx, w.client)
	if err != nil || l.Table.Stats().Records != 0 {
		t.Errorf("there are %v, error %v", l.Table.Rules(), err)
	}
	w.append("barred/bob", []byte("no bar at all"))
	w.append("barred/eve", encoded(t, &schema.Bar{}))
	if l, err := rules.Load(w.ctx, w.client); err != nil || l.Corrupt != 1 || !w.barred(l.Table, "eve") {
		t.Errorf("loaded %+v, error %v", l, err)
	}
}
