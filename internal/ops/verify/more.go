package verify

import (
	"reflect"

	"github.com/parley-chat/parley/schema"
)

// more is what a row has that came with format 2, by the names of its columns.
type more struct {
	Info      string   `column:"info"`
	Origin    string   `column:"origin"`
	Key       string   `column:"key"`
	Type      string   `column:"type"`
	Data      string   `column:"data"`
	Reply     int64    `column:"reply"`
	Mentions  []string `column:"mentions"`
	Action    string   `column:"action"`
	Target    int64    `column:"target"`
	Author    string   `column:"author"`
	Moderator uint8    `column:"moderator"`
	Name      string   `column:"name"`
	Removed   uint8    `column:"removed"`
	By        string   `column:"by"`
	Until     int64    `column:"until"`
	Since     *int64   `column:"since"`
	Slow      *int64   `column:"slow"`
	Frozen    *uint8   `column:"frozen"`
	Topic     *string  `column:"topic"`
}

// moreColumns are the columns of more, as a SELECT has them.
var moreColumns = func() (list string) {
	for _, f := range reflect.VisibleFields(reflect.TypeFor[more]()) {
		list += `, "` + f.Tag.Get("column") + `"`
	}
	return list
}()

// fields are where to scan moreColumns to.
func (m *more) fields() (to []any) {
	v := reflect.ValueOf(m).Elem()
	for i := range v.NumField() {
		to = append(to, v.Field(i).Addr().Interface())
	}
	return to
}

// differing names the columns in which two differ.
func (m *more) differing(o *more) (names []string) {
	a, b := reflect.ValueOf(m).Elem(), reflect.ValueOf(o).Elem()
	for i := range a.NumField() {
		x, y := a.Field(i), b.Field(i)
		if empty := x.Kind() == reflect.Slice && x.Len()+y.Len() == 0; !empty && !reflect.DeepEqual(x.Interface(), y.Interface()) {
			names = append(names, a.Type().Field(i).Tag.Get("column"))
		}
	}
	return names
}

// richer fills in what came with format 2; true: it is of a kind that did.
func (r *row) richer(e *schema.Event) bool {
	m := &r.more
	m.Origin = "client"
	switch k := e.Kind.(type) {
	case *schema.Event_Join:
		m.Info = string(k.Join.Info)
	case *schema.Event_Chat:
		m.Info, m.Type, m.Data, m.Reply = string(k.Chat.Info), k.Chat.Type, string(k.Chat.Data), k.Chat.Reply
		m.Mentions, m.Origin, m.Key = k.Chat.Mentions, originOf(k.Chat.Origin), k.Chat.Key
	case *schema.Event_Change:
		r.changed(k.Change)
		return true
	case *schema.Event_Pin:
		r.kind, r.id, m.Target, m.Removed = "pin", k.Pin.Id, k.Pin.Target, bit(k.Pin.Remove)
		m.act(k.Pin.By)
		return true
	case *schema.Event_Sanction:
		r.kind, r.user, r.id, r.reason = "sanction", k.Sanction.User, k.Sanction.Id, k.Sanction.Reason
		m.Action, m.Until, m.Since = k.Sanction.Action.Name(), k.Sanction.Until, k.Sanction.PurgeSince
		m.act(k.Sanction.By)
		return true
	case *schema.Event_Purge:
		r.kind, r.user, r.id, r.reason, m.Since = "purge", k.Purge.User, k.Purge.Id, k.Purge.Reason, &k.Purge.Since
		m.act(k.Purge.By)
		return true
	case *schema.Event_Set:
		r.kind, r.id, m.Slow, m.Topic = "set", k.Set.Id, k.Set.Slow, k.Set.Topic
		m.Data = named(k.Set.Data != nil, string(k.Set.Data), "null")
		if k.Set.Frozen != nil {
			frozen := bit(*k.Set.Frozen)
			m.Frozen = &frozen
		}
		m.act(k.Set.By)
		return true
	}
	return false
}

func (r *row) changed(c *schema.Change) {
	m := &r.more
	r.kind, r.session, r.user, r.to, r.id, r.trace = "change", c.Session, c.User, c.To, c.Id, c.Trace
	m.Origin, m.Key, m.Target, m.Author, m.Moderator = originOf(c.Origin), c.Key, c.Target, c.Author, bit(c.Moderator)
	if edit := c.GetEdit(); edit != nil {
		m.Action, r.body = "edit", edit.Body
		m.Type = named(edit.Type != nil, edit.GetType(), "text")
		m.Data = named(edit.Data != nil, string(edit.Data), "null")
	}
	if deletion := c.GetDelete(); deletion != nil {
		m.Action, r.reason = "delete", deletion.Reason
	}
	if react := c.GetReact(); react != nil {
		m.Action, m.Name, m.Removed = "react", react.Name, bit(react.Remove)
	}
}

// act fills in who acted.
func (m *more) act(by *schema.Author) {
	switch a := by.GetBy().(type) {
	case *schema.Author_User:
		m.By = a.User
	case *schema.Author_Key:
		m.Key, m.Origin = a.Key, "backend"
	}
}

// named is a value that may be absent, and empty is none.
func named(is bool, value, none string) string {
	switch {
	case !is:
		return ""
	case value == "":
		return none
	}
	return value
}

func bit(set bool) uint8 {
	if set {
		return 1
	}
	return 0
}

func originOf(o schema.Origin) string {
	if o == schema.Origin_ORIGIN_CLIENT {
		return "client"
	}
	return "backend"
}
