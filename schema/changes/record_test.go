package changes

import (
	"reflect"
	"testing"

	"github.com/parley-chat/parley/schema"
)

func TestRecordsAreWhatTheLogSays(t *testing.T) {
	text, since := "poll", int64(3)
	by := &schema.Author{By: &schema.Author_Key{Key: "shop"}}
	change := func(c *schema.Change) *schema.Event {
		c.Channel, c.User, c.Id, c.Target, c.Author, c.To = "a", "ada", "x", 4, "bob", "cyd"
		return &schema.Event{Time: 9, Kind: &schema.Event_Change{Change: c}}
	}
	head := Change{Seq: 7, Time: 9, User: "ada"}
	record := func(set func(*Change)) Record {
		c := head
		set(&c)
		return Record{Change: c, ID: "x", Target: 4, Author: "bob", To: "cyd"}
	}
	purged := Record{Change: Change{Seq: 7, Key: "shop", Purge: &Purge{User: "eve", Since: 3, Reason: "spam"}}, ID: "p"}
	data := ""
	for name, c := range map[string]struct {
		event *schema.Event
		want  Record
	}{
		"edit":   {change(&schema.Change{Act: &schema.Change_Edit{Edit: &schema.Edit{Body: "b", Type: &text, Data: []byte{}}}}), record(func(c *Change) { c.Edit = &Edit{"b", &text, &data} })},
		"plain":  {change(&schema.Change{Act: &schema.Change_Edit{Edit: &schema.Edit{Body: "b"}}}), record(func(c *Change) { c.Edit = &Edit{Body: "b"} })},
		"delete": {change(&schema.Change{Act: &schema.Change_Delete{Delete: &schema.Delete{Reason: "r"}}}), record(func(c *Change) { c.Delete = &Delete{"r"} })},
		"react":  {change(&schema.Change{Act: &schema.Change_React{React: &schema.React{Name: "+", Remove: true}}}), record(func(c *Change) { c.React = &React{"+", true} })},
		"purge":  {&schema.Event{Kind: &schema.Event_Purge{Purge: &schema.Purge{User: "eve", By: by, Id: "p", Since: 3, Reason: "spam"}}}, purged},
		"ban":    {&schema.Event{Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{User: "eve", By: by, Id: "p", PurgeSince: &since, Reason: "spam"}}}, purged},
	} {
		if got, is := Of(7, c.event); !is || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v, %v", name, got, is)
		}
	}
	for name, e := range map[string]*schema.Event{
		"mute": {Kind: &schema.Event_Sanction{Sanction: &schema.Sanction{User: "eve", By: by}}},
		"chat": {Kind: &schema.Event_Chat{Chat: &schema.Chat{}}},
		"pin":  {Kind: &schema.Event_Pin{Pin: &schema.Pin{Target: 4}}},
	} {
		if got, is := Of(7, e); is {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestWhomARecordIsFor(t *testing.T) {
	private := Record{Author: "ada", To: "bob", Target: 4, Change: Change{Edit: &Edit{}}}
	for user, want := range map[string]bool{"ada": true, "bob": true, "eve": false, "": false} {
		if private.VisibleTo(user) != want {
			t.Errorf("%q sees it: %v", user, !want)
		}
	}
	purge := Record{Change: Change{Seq: 7, Purge: &Purge{User: "ada", Since: 3}}}
	reaction := Record{Target: 4, Change: Change{React: &React{}}}
	if private.Link() || reaction.Link() || !purge.Link() || !purge.VisibleTo("eve") {
		t.Error("purges, and public edits and deletions, are links; all see a purge")
	}
	for seq, want := range map[int64]bool{2: false, 3: true, 6: true, 7: false} {
		if purge.Hits(&Message{Seq: seq, User: "ada"}) != want {
			t.Errorf("the purge hits %d: %v", seq, !want)
		}
	}
	if purge.Hits(&Message{Seq: 4, User: "bob"}) || !private.Hits(&Message{Seq: 4, User: "bob"}) || private.Hits(&Message{Seq: 5, User: "ada"}) {
		t.Error("a purge is about one user's messages, any other change about its target")
	}
}
