package tests

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/parley-chat/parley/schema"
)

// drawing draws events that a reader may meet, with few names and ids, so that
// they repeat.
type drawing struct {
	*rand.Rand
	bad int // one field of so many is out of bounds; 0: none
}

func (d drawing) oneOf(texts ...string) string { return texts[d.IntN(len(texts))] }

func (d drawing) isBad() bool { return d.bad > 0 && d.IntN(d.bad) == 0 }

// text is one of good, or of more than most bytes, or just as many.
func (d drawing) text(most int, good ...string) string {
	if d.isBad() {
		return d.oneOf("", strings.Repeat("x", most), strings.Repeat("x", most+1), strings.Repeat("é", most/2)+"x", "a/b")
	}
	return d.oneOf(good...)
}

func (d drawing) name() string {
	if d.isBad() {
		return d.oneOf("", "a\n", "a\u0085", strings.Repeat("ü", 64), strings.Repeat("ü", 64)+"x")
	}
	return d.oneOf("ü0", "ü1")
}

func (d drawing) number(least int64) int64 {
	if d.isBad() {
		return d.oneOfInts(0, -1, -1<<31, -1<<63, 1<<63-1)
	}
	return least + d.Int64N(3)
}

func (d drawing) oneOfInts(of ...int64) int64 { return of[d.IntN(len(of))] }

func (d drawing) json(most int) []byte {
	if d.isBad() {
		return []byte(d.oneOf("{", "NaN", "\xff", strings.Repeat("1", most), strings.Repeat("1", most+1)))
	}
	return []byte(d.oneOf("", "null", `{"a":"ü"}`))
}

func (d drawing) id() string { return d.text(schema.MaxID, fmt.Sprint(d.IntN(20))) }

func (d drawing) by() *schema.Author {
	switch {
	case d.isBad():
		return d.badAuthor()
	case d.IntN(2) == 0:
		return &schema.Author{By: &schema.Author_Key{Key: d.text(schema.MaxKey, "ü0", "k")}}
	}
	return &schema.Author{By: &schema.Author_User{User: d.name()}}
}

func (d drawing) badAuthor() *schema.Author {
	if d.IntN(2) == 0 {
		return nil
	}
	return &schema.Author{}
}

func (d drawing) origin() schema.Origin { return schema.Origin(d.IntN(2)) }

// optional is nil or a pointer to v.
func optional[T any](d drawing, v T) *T {
	if d.IntN(2) == 0 {
		return nil
	}
	return &v
}

// event draws one of a connector.
func (d drawing) event(connector string, counter uint64, channel string) *schema.Event {
	e := &schema.Event{Time: 1, Connector: d.text(schema.MaxID, connector), Counter: counter}
	if d.isBad() {
		e.Counter = 0
	}
	switch d.IntN(16) {
	case 0:
		e.Kind = &schema.Event_Join{Join: &schema.Join{Channel: channel, Session: d.text(schema.MaxID, "s"), User: d.name(), PushPartition: int32(d.number(0)), Info: d.json(schema.MaxInfo)}}
	case 1:
		e.Kind = &schema.Event_Leave{Leave: &schema.Leave{Channel: channel, Session: d.text(schema.MaxID, "s"), User: d.name(), Reason: schema.Reason(d.IntN(9))}}
	case 2:
		e = &schema.Event{Time: 1, Kind: &schema.Event_Down{Down: &schema.Down{Connector: d.text(schema.MaxID, connector), Reason: schema.Reason_REASON_TIMEOUT}}}
	case 3: // a marker above offset 0 means nothing
		e = &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: d.text(9, "stray"), Format: int32(1 + d.IntN(2)), Window: d.number(1)}}}
	case 4:
		e.Kind = &schema.Event_Pin{Pin: &schema.Pin{Channel: channel, By: d.by(), Id: d.id(), Target: d.number(1), Remove: d.IntN(2) == 0}}
	case 5:
		e.Kind = &schema.Event_Sanction{Sanction: d.sanction(channel)}
	case 6:
		e.Kind = &schema.Event_Purge{Purge: &schema.Purge{Channel: channel, User: d.name(), By: d.by(), Id: d.id(), Since: d.number(0), Reason: d.text(schema.MaxReason, "r")}}
	case 7:
		e.Kind = &schema.Event_Set{Set: &schema.Set{Channel: channel, By: d.by(), Id: d.id(), Slow: optional(d, d.number(0)), Frozen: optional(d, true), Topic: optional(d, d.text(schema.MaxTopic, "t")), Data: d.json(schema.MaxTopicData)}}
	case 8:
		e.Kind = &schema.Event_Watch{Watch: &schema.Watch{Channel: channel, Connector: d.text(schema.MaxID, "k0"), PushPartition: int32(d.number(0))}}
	case 9:
		e.Kind = &schema.Event_Unwatch{Unwatch: &schema.Unwatch{Channel: channel, Connector: d.text(schema.MaxID, "k0")}}
	case 10, 11, 12:
		e.Kind = &schema.Event_Change{Change: d.change(channel)}
	default:
		e.Kind = &schema.Event_Chat{Chat: d.chat(channel)}
	}
	return e
}

func (d drawing) sanction(channel string) *schema.Sanction {
	s := &schema.Sanction{
		Channel: channel, User: d.name(), By: d.by(), Id: d.id(), Action: schema.Sanction_Action(1 + d.IntN(6)),
		Until: d.number(0), Reason: d.text(schema.MaxReason, "", "r"), PurgeSince: optional(d, d.number(0)),
	}
	if d.isBad() {
		s.Action = schema.Sanction_Action(d.oneOfInts(0, 7, -1))
	}
	return s
}

func (d drawing) change(channel string) *schema.Change {
	c := &schema.Change{
		Channel: channel, User: d.name(), Id: d.id(), Origin: d.origin(), Key: d.text(schema.MaxKey, "", "k"),
		Target: d.number(1), Author: d.name(), Moderator: d.IntN(2) == 0,
	}
	if d.IntN(4) == 0 {
		c.To = d.name()
	}
	switch {
	case d.isBad(): // an act of a newer format
	case d.IntN(3) == 0:
		c.Act = &schema.Change_Edit{Edit: &schema.Edit{Body: d.text(schema.MaxBody, "≈"), Type: optional(d, d.text(schema.MaxType, "", "t")), Data: d.json(schema.MaxData)}}
	case d.IntN(2) == 0:
		c.Act = &schema.Change_Delete{Delete: &schema.Delete{Reason: d.text(schema.MaxReason, "", "r")}}
	default:
		c.Act = &schema.Change_React{React: &schema.React{Name: d.text(schema.MaxType, "👍"), Remove: d.IntN(2) == 0}}
	}
	return c
}

func (d drawing) chat(channel string) *schema.Chat {
	c := &schema.Chat{Channel: channel, User: d.name(), Id: d.id(), Body: d.text(schema.MaxBody, fmt.Sprint("≈ ", d.Int()))}
	if d.IntN(4) == 0 {
		c.To = d.name()
	}
	for _, set := range []func(){ // each alone needs format 2
		func() { c.Info = d.json(schema.MaxInfo) },
		func() { c.Data = d.json(schema.MaxData) },
		func() { c.Type = d.text(schema.MaxType, "t") },
		func() { c.Key = d.text(schema.MaxKey, "k") },
		func() { c.Reply = d.number(1) },
		func() { c.Origin = d.origin() },
		func() { c.Mentions = []string{d.name(), d.name()} },
	} {
		if d.IntN(4) == 0 {
			set()
		}
	}
	if d.isBad() {
		c.Mentions = make([]string, schema.MaxMentions+d.IntN(2))
		for i := range c.Mentions {
			c.Mentions[i] = "u"
		}
	}
	return c
}
