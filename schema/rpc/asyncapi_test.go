package rpc

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

type document struct {
	Channels struct {
		Session struct {
			Messages map[string]reference
		}
	}
	Operations map[string]any
	Components struct {
		Messages map[string]struct{ Payload reference }
		Schemas  map[string]objectSchema
	}
}

type reference struct {
	Ref string `yaml:"$ref"`
}

type objectSchema struct {
	Required   []string
	Properties map[string]property
}

type property struct {
	Type  any
	Ref   string `yaml:"$ref"`
	Const string
	Items *property
}

func readDocument(t *testing.T) document {
	text, err := os.ReadFile("asyncapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d document
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	return d
}

// Each schema has the fields of the Go type of its name: the same names, the
// same kinds, required where Go always writes them.
func TestSchemasAreTheGoTypes(t *testing.T) {
	d := readDocument(t)
	for _, v := range []any{
		Message{}, Edited{}, Deleted{}, Author{}, Reaction{}, Mine{}, Change{}, Edit{}, Deletion{}, PurgeChange{}, Reacted{}, Settings{},
		Member{}, Limits{}, Empty{}, Error{}, ErrorData{},
		HelloParams{}, HelloResult{}, JoinParams{}, JoinResult{}, ChatParams{}, ActResult{}, LeaveParams{},
		HistoryParams{}, HistoryResult{}, MembersParams{}, MembersResult{}, RepeatResult{},
		EditParams{}, DeleteParams{}, ReactParams{}, PinParams{}, ReactionsParams{}, UserReaction{}, ReactionsResult{}, PinsParams{}, PinsResult{}, SearchParams{}, Found{}, SearchResult{},
		SanctionParams{}, KickParams{}, LiftParams{}, PurgeParams{}, SetParams{}, SanctionsParams{}, SanctionsResult{}, Sanction{}, SignalParams{},
		SanctionedPush{}, SignalPush{},
		ChatPush{}, JoinedPush{}, LeftPush{}, PresencePush{}, RemovedPush{}, ChangedPush{}, ReactedPush{}, SettingsPush{}, DrainPush{},
	} {
		typ := reflect.TypeOf(v)
		s, ok := d.Components.Schemas[typ.Name()]
		if !ok {
			t.Errorf("no schema %s", typ.Name())
			continue
		}
		documented := len(s.Properties)
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous {
				continue
			}
			documented--
			name, optional, _ := strings.Cut(f.Tag.Get("json"), ",")
			p, ok := s.Properties[name]
			if !ok {
				t.Errorf("%s.%s is not in the document", typ.Name(), name)
				continue
			}
			if want := kindInDocument(f.Type); p.kind() != want {
				t.Errorf("%s.%s is %s in the document, %s in Go", typ.Name(), name, p.kind(), want)
			}
			if required := slices.Contains(s.Required, name); required == (optional == "omitempty") {
				t.Errorf("%s.%s: required is %v in the document", typ.Name(), name, required)
			}
		}
		if documented != 0 {
			t.Errorf("%s has %d fields in the document that Go has not", typ.Name(), documented)
		}
	}
}

func (p property) kind() string {
	switch {
	case p.Ref != "":
		return last(p.Ref)
	case p.Type == "array":
		return "[]" + p.Items.kind()
	}
	kind, _ := p.Type.(string)
	return kind
}

func kindInDocument(t reflect.Type) string {
	if t == reflect.TypeFor[json.RawMessage]() {
		return "" // any
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kindInDocument(t.Elem())
	case reflect.Slice, reflect.Array:
		return "[]" + kindInDocument(t.Elem())
	case reflect.Map:
		return "object"
	case reflect.Struct:
		return t.Name()
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	}
	return "integer"
}

func last(ref string) string { return ref[strings.LastIndex(ref, "/")+1:] }

// Every method and push of the protocol has its message, and every reference
// leads somewhere.
func TestDocumentIsComplete(t *testing.T) {
	d := readDocument(t)
	for _, m := range Methods {
		if d.Operations[m] == nil {
			t.Errorf("no operation %s", m)
		}
		if got := d.constOf(m, "method"); got != m {
			t.Errorf("message %s says method %q", m, got)
		}
	}
	for _, m := range []string{PushChat, PushJoined, PushLeft, PushPresence, PushRemoved, PushChanged, PushReacted, PushSettings, PushSanctioned, PushSignal, PushDrain} {
		if got := d.constOf(m+"Push", "method"); got != m {
			t.Errorf("message %sPush says method %q", m, got)
		}
	}
	for name, ref := range d.Channels.Session.Messages {
		if _, ok := d.Components.Messages[last(ref.Ref)]; !ok {
			t.Errorf("message %s leads nowhere: %s", name, ref.Ref)
		}
	}
	for name, m := range d.Components.Messages {
		if _, ok := d.Components.Schemas[last(m.Payload.Ref)]; !ok {
			t.Errorf("the payload of %s leads nowhere: %s", name, m.Payload.Ref)
		}
	}
}

func (d document) constOf(message, field string) string {
	return d.Components.Schemas[last(d.Components.Messages[message].Payload.Ref)].Properties[field].Const
}
