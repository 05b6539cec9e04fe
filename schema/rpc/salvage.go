package rpc

import (
	"bytes"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-chat/parley/schema/strict"
)

// salvage reads what it can of a frame that is JSON and that strict refuses, so
// that its error gets to whoever waits for an answer. It returns nil when all
// that is wrong lies inside of params, which only some methods read.
func salvage(frame []byte, e *envelope, wrong *strict.Error) *strict.Error {
	*e = envelope{}
	members := map[string]*jsontext.Value{"jsonrpc": &e.Version, "id": &e.ID, "method": &e.Method, "params": &e.Params}
	d := jsontext.NewDecoder(bytes.NewReader(frame), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return wrong
	}
	seen, outside := map[string]bool{}, false
	for d.PeekKind() == '"' {
		t, err := d.ReadToken()
		if err != nil {
			return wrong
		}
		name := t.String()
		v, err := d.ReadValue()
		if err != nil {
			return wrong
		}
		switch m := members[name]; {
		case seen[name], name != "params" && !v.IsValid():
			outside = true
			if m != nil {
				*m = nil // which of the two, or no text
			}
		case m != nil:
			*m = v.Clone()
		}
		seen[name] = true
	}
	if !outside && strings.HasPrefix(wrong.Pointer, "/params/") {
		return nil
	}
	return wrong
}
