package rpc

import (
	"bytes"
	"encoding/json"
	"testing"
)

// Whatever the params of a request are, a field is named when they are refused,
// and when they are taken they are the same in the form that we send.
func FuzzParams(f *testing.F) {
	for _, seed := range []string{
		`{"user":"ada","token":"x","client":"c"}`, `{"channel":"a","limit":5.0,"since":1e1,"epoch":"e"}`, `{"channel":"a","body":"\ud83d\ude00","to":"b","id":"i","traceparent":"t"}`, `{"channel":"a","before":0,"after":1,"around":2}`,
		`{"channel":"a","channel":"b"}`, `{"channel":"\ud800"}`, `{"limit":9223372036854775808}`, `[]`, `null`, `{"x":[[[]]]}`, "{\"channel\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, params []byte) {
		for _, v := range []any{&HelloParams{}, &JoinParams{}, &ChatParams{}, &LeaveParams{}, &HistoryParams{}, &MembersParams{}} {
			if bad := Decode(params, v); bad != nil {
				if bad.Code != CodeInvalidParams || bad.Data == nil || bad.Data.Field == "" || len(bad.Data.Field) > maxField || !json.Valid(AppendError(nil, null, bad)) {
					t.Errorf("%q: %+v", params, bad)
				}
				continue
			}
			once := AppendJSON(nil, v)
			if bad := Decode(once, v); bad != nil || !bytes.Equal(once, AppendJSON(nil, v)) {
				t.Errorf("%q: %s is read as %s, %v", params, once, AppendJSON(nil, v), bad)
			}
		}
	})
}
