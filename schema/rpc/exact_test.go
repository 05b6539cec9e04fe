package rpc

import (
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
		{`{"channel":"a","unknown":"\ud83d\ude00","body":"\ud83d\ude00\\ud800"}`, "a", `😀\ud800`},
		{`{"channel":"a","CHANNEL":"z","body":"b","x":{"a":1,"A":2},"y":[{"a":1},{"a":1}]}`, "a", "b"},
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
		{`{"channel":"a","body":"\ud83d","body":null}`, "body"},
		{`{"channel":"a","body":"b","unknown":"\ud800"}`, "unknown"},
		{`{"channel":"a","body":"b","unknown":[{"\ud800":1}]}`, "unknown"},
		{"{\"channel\":\"a\",\"body\":\"\xff\"}", "body"},
	} {
		var p ChatParams
		bad := Decode([]byte(c.params), &p)
		if bad == nil || bad.Code != CodeInvalidParams || bad.Data.Field != c.field {
			t.Errorf("%s: %v; want %s to be refused", c.params, bad, c.field)
		}
	}
}

// Of two members of one name nobody can say which counts.
func TestNamesAreGivenOnce(t *testing.T) {
	for _, c := range []struct{ params, field string }{
		{`{"channel":"a","channel":"a"}`, "channel"},
		{`{"channel":"a","\u0063hannel":"b"}`, "channel"},
		{`{"body":"b","channel":"a","body":null}`, "body"},
		{`{"channel":"a","x":{"y":{"z":1,"z":1}}}`, "x"},
		{`{"channel":"a","x":1,"x":1}`, "x"},
		{`{"":1,"":1}`, "params"},
	} {
		var p ChatParams
		bad := Decode([]byte(c.params), &p)
		if bad == nil || bad.Code != CodeInvalidParams || bad.Data.Field != c.field {
			t.Errorf("%s: %v; want %s to be refused", c.params, bad, c.field)
		}
	}
	for _, c := range []struct{ frame, id string }{
		{`{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}`, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","method":"leave"}`, "1"},
		{`{"jsonrpc":"2.0","method":"ping","params":{},"params":{},"id":1}`, "1"},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","x":{"y":1,"y":1}}`, "1"},
		{`{"jsonrpc":"2.0","id":"\ud800","method":"ping"}`, "null"},
		{`{"jsonrpc":"2.0","id":1,"method":"ping\ud800"}`, "1"},
		{`{"jsonrpc":"2.0","params":{"a":1,"a":2},"id":1,"method":"ping","x":"\ud800"}`, "1"},
		{`{"jsonrpc":"2.0","jsonrpc":"2.0","method":"ping"}`, "null"},
	} {
		if r, bad := Parse([]byte(c.frame)); bad == nil || bad.Code != CodeInvalidRequest || string(r.ID) != c.id {
			t.Errorf("%s: id %s, %v; want %d for id %s", c.frame, r.ID, bad, CodeInvalidRequest, c.id)
		}
	}
	// What is wrong in params is for whoever reads them, and is answered to its id.
	r, bad := Parse([]byte(`{"jsonrpc":"2.0","params":{"channel":"a","channel":"b"},"method":"leave","id":7}`))
	if bad != nil || string(r.ID) != "7" || r.Method != "leave" || Decode(r.Params, &LeaveParams{}) == nil {
		t.Errorf("%+v, %v", r, bad)
	}
}

func TestDepth(t *testing.T) {
	for _, c := range []struct {
		nested string
		depth  int // in the request, which is one level itself
		code   int
	}{
		{"x", 9_999, 0}, {"x", 10_000, CodeInvalidRequest}, {"x", 30_000, CodeInvalidRequest},
		{"params", 9_998, 0}, {"params", 30_000, CodeInvalidRequest},
	} {
		value := strings.Repeat("[", c.depth) + strings.Repeat("]", c.depth)
		if c.nested == "params" {
			value = `{"x":` + value + `}`
		}
		r, bad := Parse([]byte(`{"jsonrpc":"2.0","id":1,"method":"ping","` + c.nested + `":` + value + `}`))
		if code := codeOf(bad); code != c.code || string(r.ID) != "1" {
			t.Errorf("%s, %d deep: id %s, %v", c.nested, c.depth, r.ID, bad)
		}
		if bad != nil && !strings.Contains(bad.Message, "nested too deeply") {
			t.Errorf("it says %q", bad.Message)
		}
	}
	for _, text := range []string{strings.Repeat("[", 20_000), strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000)} {
		if _, bad := Parse([]byte(text)); codeOf(bad) != CodeInvalidRequest {
			t.Errorf("a frame of %d brackets: %v", len(text), bad)
		}
	}
}

func codeOf(e *Error) int {
	if e == nil {
		return 0
	}
	return e.Code
}

func TestIntegersHoweverWritten(t *testing.T) {
	for text, want := range map[string]int{"50": 50, "50.0": 50, "5e1": 50, "5E+1": 50, "500e-1": 50, "0.5e2": 50, "0.0": 0, "-0": 0, "-0.0e9": 0, "-5.0": -5} {
		var p HistoryParams
		if bad := Decode([]byte(`{"channel":"a","limit":`+text+`,"before":`+text+`}`), &p); bad != nil || *p.Limit != want || *p.Before != int64(want) {
			t.Errorf("%s: %v", text, bad)
		}
	}
	for _, text := range []string{"50.5", "5e-1", "1e400", "9223372036854775808", "1e19", `"50"`, "true", "[]", "{}"} {
		for _, field := range []string{"limit", "before"} {
			var p HistoryParams
			if bad := Decode([]byte(`{"channel":"a","`+field+`":`+text+`}`), &p); bad == nil || bad.Data.Field != field || bad.Data.Reason != "must be an integer" {
				t.Errorf("%s %s: %v", field, text, bad)
			}
		}
	}
	var p HistoryParams
	if bad := Decode([]byte(`{"channel":"a","limit":null}`), &p); bad != nil || p.Limit != nil {
		t.Errorf("null: %v", bad)
	}
	if bad := Decode([]byte(`{"channel":7}`), &p); bad == nil || bad.Data.Field != "channel" || bad.Data.Reason != "must be a string" {
		t.Errorf("a number for a name: %v", bad)
	}
}
