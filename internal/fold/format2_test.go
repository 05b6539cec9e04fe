package fold

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

func markerOf(format int32) *schema.Event {
	m := marker()
	m.GetMarker().Format = format
	return m
}

// at gives an event a time.
func at(time int64, e *schema.Event) *schema.Event {
	e.Time = time
	return e
}

func user(name string) *schema.Author { return &schema.Author{By: &schema.Author_User{User: name}} }
func key(name string) *schema.Author  { return &schema.Author{By: &schema.Author_Key{Key: name}} }

func joinInfo(connector string, counter uint64, channel, session, user, info string) *schema.Event {
	e := join(connector, counter, channel, session, user)
	if info != "" {
		e.GetJoin().Info = []byte(info)
	}
	return e
}

// changeOf is a change by user of a message of author: "edit", "delete", "react" or
// "unreact".
func changeOf(act, connector string, counter uint64, channel, user, id string, target int64, to string) *schema.Event {
	c := &schema.Change{Channel: channel, Session: "s", User: user, Id: id, Target: target, Author: "ann", To: to}
	switch act {
	case "edit":
		c.Act = &schema.Change_Edit{Edit: &schema.Edit{Body: "new"}}
	case "delete":
		c.Act = &schema.Change_Delete{Delete: &schema.Delete{Reason: "why"}}
	default:
		c.Act = &schema.Change_React{React: &schema.React{Name: "+1", Remove: act == "unreact"}}
	}
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Change{Change: c}}
}

func sanctionOf(action schema.Sanction_Action, connector string, counter uint64, channel, whom, id string, until int64) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{
		Channel: channel, User: whom, By: user("mod"), Id: id, Action: action, Until: until, Reason: "why",
	}}}
}

func withPurge(since int64, e *schema.Event) *schema.Event {
	e.GetSanction().PurgeSince = &since
	return e
}

func purgeOf(connector string, counter uint64, channel, whom, id string, since int64) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Purge{Purge: &schema.Purge{
		Channel: channel, User: whom, By: key("trust"), Id: id, Since: since, Reason: "why",
	}}}
}

func setOf(connector string, counter uint64, channel, id string, change func(*schema.Set)) *schema.Event {
	s := &schema.Set{Channel: channel, By: user("mod"), Id: id}
	change(s)
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Set{Set: s}}
}

func topic(text string) func(*schema.Set) { return func(s *schema.Set) { s.Topic = &text } }

func slow(seconds int64) func(*schema.Set) { return func(s *schema.Set) { s.Slow = &seconds } }

func pinOf(connector string, counter uint64, channel, id string, target int64, remove bool) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Pin{Pin: &schema.Pin{
		Channel: channel, By: user("mod"), Id: id, Target: target, Remove: remove,
	}}}
}

func watchOf(connector string, counter uint64, channel string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Watch{Watch: &schema.Watch{
		Channel: channel, Connector: connector, PushPartition: pushPartition(connector),
	}}}
}

func unwatchOf(connector string, counter uint64, channel string) *schema.Event {
	return &schema.Event{Connector: connector, Counter: counter, Kind: &schema.Event_Unwatch{Unwatch: &schema.Unwatch{
		Channel: channel, Connector: connector,
	}}}
}

const (
	mute     = schema.Sanction_ACTION_MUTE
	ban      = schema.Sanction_ACTION_BAN
	kick     = schema.Sanction_ACTION_KICK
	lift     = schema.Sanction_ACTION_LIFT
	liftMute = schema.Sanction_ACTION_LIFT_MUTE
	liftBan  = schema.Sanction_ACTION_LIFT_BAN
)

func showAuthor(a *schema.Author) string {
	if a.GetKey() != "" {
		return "key " + a.GetKey()
	}
	return a.GetUser()
}

func showInForce(r *schema.InForce) string {
	return fmt.Sprintf("%d until %d by %s for %s", r.GetSeq(), r.GetUntil(), showAuthor(r.GetBy()), r.GetReason())
}

func showAmounts(a *schema.Amounts) string {
	if a == nil {
		return "none"
	}
	return fmt.Sprintf("%d of %d and %d", a.Sanctions, a.AllSanctions, a.AllSettings)
}

func showSettings(s *schema.Settings) string {
	return fmt.Sprintf("settings %d/%d by %s slow %d since %d frozen %v topic %q data %q pins %v", s.Seq, s.Time, showAuthor(s.By), s.Slow, s.SlowSince, s.Frozen, s.Topic, s.Data, s.Pins)
}

// showStructure is what a message has beyond format 1.
func showStructure(m *schema.Message) (words []string) {
	plain := &schema.Message{User: m.User, Id: m.Id, Body: m.Body, To: m.To, Trace: m.Trace, Prev: m.Prev}
	if !proto.Equal(plain, m) {
		words = append(words, fmt.Sprintf("info %s type %s data %s reply %d mentions %v origin %d key %s", m.Info, m.Type, m.Data, m.Reply, m.Mentions, m.Origin, m.Key))
	}
	return words
}

// showRest is what a snapshot has beyond format 1.
func showRest(s *schema.Snapshot) (words []string) {
	if s.Infos != nil {
		words = append(words, fmt.Sprintf("infos %q", s.Infos))
	}
	if s.Banned != nil {
		words = append(words, fmt.Sprintf("banned %v", s.Banned))
	}
	if s.Clast > 0 {
		words = append(words, fmt.Sprintf("clast %d", s.Clast))
	}
	if s.Settings != nil {
		words = append(words, showSettings(s.Settings))
	}
	if s.Amounts != nil {
		words = append(words, "amounts "+showAmounts(s.Amounts))
	}
	return words
}

func showFormat2(u *schema.Update) []string {
	one := func(format string, args ...any) []string { return []string{fmt.Sprintf(format, args...)} }
	switch k := u.Kind.(type) {
	case *schema.Update_Changed:
		c := k.Changed
		act := "edit " + c.GetEdit().GetBody()
		if c.GetDelete() != nil {
			act = "delete for " + c.GetDelete().Reason
		}
		return one("changed %s/%s/%d of %s to %q moderator %v %s cprev %d", c.User, c.Id, c.Target, c.Author, c.To, c.Moderator, act, c.Cprev)
	case *schema.Update_Reacted:
		r := k.Reacted
		return one("reacted %s/%s/%d of %s to %q %s remove %v", r.User, r.Id, r.Target, r.Author, r.To, r.Name, r.Remove)
	case *schema.Update_Purged:
		p := k.Purged
		return one("purged %s since %d by %s/%s for %s cprev %d", p.User, p.Since, showAuthor(p.By), p.Id, p.Reason, p.Cprev)
	case *schema.Update_VoidChange:
		return one("void change")
	case *schema.Update_Sanctioned:
		s := k.Sanctioned
		return one("sanctioned %s %d until %d by %s/%s for %s amounts %s", s.User, s.Action, s.Until, showAuthor(s.By), s.Id, s.Reason, showAmounts(s.Amounts))
	case *schema.Update_Removed:
		r := k.Removed
		return one("removed %s %v/%d until %d count %d unsubscribed %v", r.User, r.Sessions, r.Reason, r.Until, r.Count, r.Unsubscribed)
	case *schema.Update_Settings:
		return one("%s amounts %s", showSettings(k.Settings), showAmounts(k.Settings.Amounts))
	case *schema.Update_Watched:
		w := k.Watched
		return one("watched last %d count %d clast %d subscribed %v", w.Last, w.Count, w.Clast, w.Subscribed)
	case *schema.Update_Unwatched:
		return one("unwatched unsubscribed %v", k.Unwatched.Unsubscribed)
	}
	return one("unknown %T", u.Kind)
}

type ruleStep struct {
	event *schema.Event
	want  []string
}

// skip is for what a push says and a test does not look at.
var skip = []string{"*"}

// follow applies the steps from offset 1 on and compares the pushes.
func follow(t *testing.T, steps []ruleStep) *Fold {
	t.Helper()
	f := New(testLog)
	apply(t, f, 0, markerOf(2))
	for i, s := range steps {
		var got []string
		for _, o := range apply(t, f, int64(i+1), s.event) {
			got = append(got, show(o))
		}
		if !slices.Equal(s.want, skip) && !slices.Equal(got, s.want) {
			t.Errorf("offset %d:\n got %s\nwant %s", i+1, strings.Join(got, "\n     "), strings.Join(s.want, "\n     "))
		}
	}
	return f
}

// What came with format 2 stops a worker before that is in force, and changes
// nothing.
func TestFormat2BeforeItIsInForce(t *testing.T) {
	f := New(testLog)
	apply(t, f, 0, markerOf(1))
	apply(t, f, 1, join("a", 1, "c", "s1", "ann"))
	early := chat("a", 2, "c", "ann", "1", "")
	early.GetChat().Type = "x"
	for name, e := range map[string]*schema.Event{"a change": changeOf("edit", "a", 2, "c", "ann", "1", 1, ""), "a field": early, "a watch": watchOf("a", 2, "c")} {
		_, err := f.Apply(2, e)
		var newer *schema.NewerError
		if !errors.As(err, &newer) || newer.InForce != 1 || f.Next() != 2 {
			t.Errorf("%s: error %v, next %d, want a NewerError and 2", name, err, f.Next())
		}
	}
	apply(t, f, 2, format(2))
	out := apply(t, f, 3, changeOf("edit", "a", 2, "c", "ann", "1", 1, ""))
	if len(out) != 1 || out[0].Push.Format != 2 || out[0].Push.Updates[0].GetChanged() == nil {
		t.Errorf("after the format was raised: %v", out)
	}
}
