package rpc

import (
	"reflect"
	"strings"
	"testing"
)

func TestNamesAreExact(t *testing.T) {
	for _, c := range []struct{ params, channel, body string }{
		{`{"channel":"a","body":"b"}`, "a", "b"},
		{`{"Channel":"a","BODY":"b"}`, "", ""},
		{`{"channel":"a","CHANNEL":"z","body":"b","Body":["wrong type"]}`, "a", "b"},
		{`{"channel":"a","\u0062ody":"b"}`, "a", "b"},
		{`{"channel":"a","\u0042ody":"b"}`, "a", ""},
		{`{"channel":"a","body":"\"Body\":","x":{"Channel":1,"a":[{"B":2}]},"y":[",\"A\""]}`, "a", `"Body":`},
		{"{\"channel\":\"a\",\"\u212Aey\":1,\"body\":\"b\"}", "a", "b"},
		{`{"channel":"a","unknown":"\ud800","body":"\ud83d\ude00\\ud800"}`, "a", `😀\ud800`},
		{`{}`, "", ""},
	} {
		var p ChatParams
		if bad := Decode([]byte(c.params), &p); bad != nil {
			t.Errorf("%s: %v", c.params, bad)
		}
		if p.Channel != c.channel || p.Body != c.body {
			t.Errorf("%s: channel %q, body %q; want %q, %q", c.params, p.Channel, p.Body, c.channel, c.body)
		}
	}
	if _, bad := Parse([]byte(`{"jsonrpc":"2.0","ID":1,"Method":"ping","method":"join"}`)); bad != nil {
		t.Error(bad)
	}
	if r, bad := Parse([]byte(`{"jsonrpc":"2.0","id":1,"Method":"ping"}`)); bad == nil || string(r.ID) != "1" {
		t.Errorf("a request without a method: id %s, error %v", r.ID, bad)
	}
}

func TestTextIsUnicode(t *testing.T) {
	for _, c := range []struct{ params, field string }{
		{`{"channel":"a","body":"\ud83d"}`, "body"},
		{`{"channel":"a","body":"\ud83dx\ude00"}`, "body"},
		{`{"channel":"a","body":"\ude00\ud83d"}`, "body"},
		{`{"channel":"a","body":"\ud83d\ud83d\ude00"}`, "body"},
		{`{"channel":"a","body":"\ud83d\n"}`, "body"},
		{`{"channel":"a\uDFFF","body":"b"}`, "channel"},
		{`{"channel":"a","body":"b","id":"\ud800"}`, "id"},
	} {
		var p ChatParams
		bad := Decode([]byte(c.params), &p)
		if bad == nil || bad.Code != CodeInvalidParams || bad.Data.Field != c.field {
			t.Errorf("%s: %v; want %s to be refused", c.params, bad, c.field)
		}
	}
}

// Names that are not in small letters would not be found.
func TestParamsAreNamedPlainly(t *testing.T) {
	for _, v := range []any{envelope{}, HelloParams{}, JoinParams{}, ChatParams{}, LeaveParams{}, HistoryParams{}, MembersParams{}} {
		for _, field := range reflect.VisibleFields(reflect.TypeOf(v)) {
			if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); !isPlain([]byte(name)) {
				t.Errorf("%T has a field named %q", v, name)
			}
		}
	}
}
