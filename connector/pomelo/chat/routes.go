package chat

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/quote"
	"github.com/parley-chat/parley/schema/strict"
)

// Routes are the names that an application has for what it asks and is told.
type Routes struct {
	QueryEntry string `json:"queryEntry"`
	Enter      string `json:"enter"`
	Send       string `json:"send"`
	OnChat     string `json:"onChat"`
	OnAdd      string `json:"onAdd"`
	OnLeave    string `json:"onLeave"`
}

// DefaultRoutes are those of chatofpomelo.
func DefaultRoutes() Routes {
	return Routes{
		QueryEntry: "gate.gateHandler.queryEntry", Enter: "connector.entryHandler.enter", Send: "chat.chatHandler.send",
		OnChat: "onChat", OnAdd: "onAdd", OnLeave: "onLeave",
	}
}

const (
	maxRoutesFile = 64 << 10
	maxRoute      = 255 // bytes of a name: its length is one byte on the wire
	ownRoutes     = "parley."
)

// ReadRoutes reads names from a file: a JSON object with those that are not the
// default. Its error names the file, and what to write into it.
func ReadRoutes(path string) (Routes, error) {
	text, err := files.Read(path, maxRoutesFile)
	if err != nil {
		return Routes{}, fmt.Errorf("%s cannot be read: %w", quote.Named("the file of routes", path), quote.Reason(err))
	}
	r, err := parseRoutes(text)
	if err != nil {
		return Routes{}, fmt.Errorf("%s cannot be used: %w", quote.Named("the file of routes", path), err)
	}
	return r, nil
}

func parseRoutes(text []byte) (Routes, error) {
	r := DefaultRoutes()
	var names map[string]string
	if err := strict.Unmarshal(text, &names); err != nil || names == nil {
		return r, errors.New(`it takes a JSON object of names, such as {"send": "room.roomHandler.say"}`)
	}
	fields := reflect.ValueOf(&r).Elem()
	for i := range fields.NumField() {
		key := fields.Type().Field(i).Tag.Get("json")
		if name, given := names[key]; given {
			fields.Field(i).SetString(name)
			delete(names, key)
		}
	}
	for key := range names {
		return r, fmt.Errorf("%q is not a route: there are queryEntry, enter, send, onChat, onAdd and onLeave", key)
	}
	return r, r.check()
}

// check reports what clients could not be served with.
func (r *Routes) check() error {
	asked := map[string]string{"queryEntry": r.QueryEntry, "enter": r.Enter, "send": r.Send}
	told := map[string]string{"onChat": r.OnChat, "onAdd": r.OnAdd, "onLeave": r.OnLeave}
	for key, name := range asked {
		if !strings.Contains(name, ".") {
			return fmt.Errorf("%s is %q: what clients ask needs a dot in its name", key, name)
		}
	}
	for _, group := range []map[string]string{asked, told} {
		seen := map[string]string{}
		for key, name := range group {
			switch {
			case name == "" || len(name) > maxRoute || !utf8.ValidString(name):
				return fmt.Errorf("%s is %q: a name has 1 to %d bytes of UTF-8", key, name, maxRoute)
			case strings.HasPrefix(name, ownRoutes):
				return fmt.Errorf("%s is %q: names that begin with %s are Parley's own", key, name, ownRoutes)
			case seen[name] != "":
				return fmt.Errorf("%s and %s have the same name, %q", min(key, seen[name]), max(key, seen[name]), name)
			}
			seen[name] = key
		}
	}
	return nil
}
