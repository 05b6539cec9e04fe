package rpc

import (
	"encoding/json"
	"testing"
)

func TestParse(t *testing.T) {
	for _, c := range []struct {
		frame        string
		code         int // 0: a request
		id           string
		notification bool
	}{
		{`{"jsonrpc":"2.0","id":1,"method":"ping"}`, 0, "1", false},
		{`{"jsonrpc":"2.0","id":"a","method":"ping","params":{}}`, 0, `"a"`, false},
		{`{"jsonrpc":"2.0","id":null,"method":"ping"}`, 0, "null", false},
		{`{"jsonrpc":"2.0","method":"ping"}`, 0, "", true},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":null}`, 0, "1", false},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}`, 0, "1", false},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":[ ]}`, 0, "1", false},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}`, CodeInvalidParams, "1", false},
		{`{"jsonrpc":"2.0","method":"ping","params":[1]}`, CodeInvalidParams, "", true},
		{`{"jsonrpc":"2.0","id":1,"method":"ping","params":7}`, CodeInvalidRequest, "1", false},
		{`{"jsonrpc":"2.0","method":"ping","params":7}`, CodeInvalidRequest, "", true},
		{`{"jsonrpc":"1.0","id":1,"method":"ping"}`, CodeInvalidRequest, "1", false},
		{`{"id":1,"method":"ping"}`, CodeInvalidRequest, "1", false},
		{`{"jsonrpc":"2.0","id":1,"method":7}`, CodeInvalidRequest, "1", false},
		{`{"jsonrpc":"2.0","id":1}`, CodeInvalidRequest, "1", false},
		{`{"jsonrpc":"2.0","id":{},"method":"ping"}`, CodeInvalidRequest, "null", false},
		{`{"jsonrpc":"2.0","id":true,"method":"ping"}`, CodeInvalidRequest, "null", false},
		{`[{"jsonrpc":"2.0","id":1,"method":"ping"}]`, CodeInvalidRequest, "null", false},
		{`[]`, CodeInvalidRequest, "null", false},
		{`7`, CodeInvalidRequest, "null", false},
		{`null`, CodeInvalidRequest, "null", false},
		{`[1,`, CodeParse, "null", false},
		{`{"jsonrpc":"2.0","id":1,"method":7,"params":}`, CodeParse, "null", false},
		{`{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"`, CodeParse, "null", false},
		{`{"jsonrpc":"2.0","id":01,"method":"ping"}`, CodeParse, "null", false},
		{`{"jsonrpc":`, CodeParse, "null", false},
		{``, CodeParse, "null", false},
		{`{} {}`, CodeParse, "null", false},
	} {
		r, bad := Parse([]byte(c.frame))
		code := 0
		if bad != nil {
			code = bad.Code
		}
		if code != c.code || string(r.ID) != c.id || r.Notification() != c.notification {
			t.Errorf("%s: error %d, id %q, notification %v; want %d, %q, %v", c.frame, code, r.ID, r.Notification(), c.code, c.id, c.notification)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"jsonrpc":"2.0","id":1,"method":"join","params":{"channel":"c"}}`))
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, bad := Parse(frame)
		if bad != nil {
			if !json.Valid(AppendError(nil, append([]byte(nil), orNull(r.ID)...), bad)) {
				t.Errorf("the answer to %q is not JSON", frame)
			}
			return
		}
		var p JoinParams
		if bad := Decode(r.Params, &p); bad != nil && bad.Data.Field == "" {
			t.Errorf("%q: %v names no field", frame, bad)
		}
	})
}

func orNull(id json.RawMessage) json.RawMessage {
	if id == nil {
		return null
	}
	return id
}
