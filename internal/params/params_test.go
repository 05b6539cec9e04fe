package params_test

import (
	"encoding/json"
	"testing"

	"github.com/parley-chat/parley/internal/params"
	"github.com/parley-chat/parley/schema/rpc"
)

var limits = rpc.Limits{Body: 4096, Data: 4096}

// right are params of every method that Read reads.
var right = map[string]string{
	rpc.MethodEdit:   `{"channel":"a","seq":7,"body":"x","id":"i"}`,
	rpc.MethodDelete: `{"channel":"a","seq":7,"reason":"spam","id":"i"}`,
	rpc.MethodReact:  `{"channel":"a","seq":7,"name":"+1","id":"i"}`,
	rpc.MethodPin:    `{"channel":"a","seq":7,"id":"i"}`,
	rpc.MethodMute:   `{"channel":"a","user":"eve","for":60000,"id":"i"}`,
	rpc.MethodBan:    `{"channel":"a","user":"eve","purge":0,"id":"i"}`,
	rpc.MethodKick:   `{"channel":"a","user":"eve","id":"i"}`,
	rpc.MethodLift:   `{"channel":"a","user":"eve","action":"ban","id":"i"}`,
	rpc.MethodPurge:  `{"channel":"a","user":"eve","since":3,"id":"i"}`,
	rpc.MethodSet:    `{"channel":"a","slow":5,"id":"i"}`,
}

// What is read makes an event that the log takes, under the id and the actor that were
// given, once for a user and once for a backend.
func TestActsAreEventsOfTheLog(t *testing.T) {
	for method, raw := range right {
		for _, by := range []params.By{{User: "ada", Session: "s"}, {User: "ada", Key: "shop"}} {
			a, known, bad := params.Read(method, json.RawMessage(raw), by, &limits)
			if !known || bad != nil {
				t.Fatalf("%s %s: known %v, %v", method, raw, known, bad)
			}
			a.Name(*a.ID)
			act, is := a.Event.Act()
			if !is || act.Channel != "a" || act.ID != "i" || act.Backend != (by.Key != "") {
				t.Errorf("%s by %+v acts as %+v", method, by, act)
			}
			actor := by.User
			if act.Key {
				actor = by.Key
			}
			if act.Actor != actor {
				t.Errorf("%s by %+v acts as %+v", method, by, act)
			}
		}
	}
}

// An act whose params are wrong has its channel, so that the caller can tell what is in
// force there.
func TestWrongParamsNameTheChannel(t *testing.T) {
	a, known, bad := params.Read(rpc.MethodMute, json.RawMessage(`{"channel":"a","user":"eve","for":-1}`), params.By{Key: "shop"}, &limits)
	if !known || bad == nil || bad.Data.Field != "for" || a.Channel != "a" {
		t.Errorf("known %v, %v, in %q", known, bad, a.Channel)
	}
	if _, known, _ := params.Read("hello", nil, params.By{}, &limits); known {
		t.Error("hello is known")
	}
}

// Params may be anything: they make an event or an error.
func FuzzRead(f *testing.F) {
	for method, raw := range right {
		f.Add(method, []byte(raw))
	}
	f.Fuzz(func(t *testing.T, method string, raw []byte) {
		a, known, bad := params.Read(method, raw, params.By{User: "ada", Key: "shop"}, &limits)
		if known && bad == nil && a.Event == nil {
			t.Error("neither an event nor an error")
		}
	})
}
