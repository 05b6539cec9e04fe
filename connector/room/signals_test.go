package room

import (
	"fmt"
	"slices"
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
)

// names are those of the signals that a member was sent.
func (o *told) names() (all []string) {
	for _, s := range o.take(rpc.PushSignal) {
		var user, name string
		if _, err := fmt.Sscanf(s, `{"channel":"a","user":%q,"name":%q`, &user, &name); err == nil {
			all = append(all, user+" "+name)
		}
	}
	return all
}

// Members get the signals of others, in one piece where they sent none; nobody does in
// a crowd.
func TestSignalsReachTheOthers(t *testing.T) {
	c, all := audience(t, "ada", "bob", "cyn")
	for _, o := range all {
		o.frames = nil
	}
	var signals []rpc.SignalPush
	for i, user := range []string{"ada", "bob", "ada", "dan", "bob"} {
		signals = append(signals, rpc.SignalPush{Channel: "a", User: user, Name: fmt.Sprint("n", i)})
	}
	if delivered, dropped := c.Signals(signals); delivered != 3+3+5 || dropped != 0 {
		t.Errorf("%d are delivered and %d dropped", delivered, dropped)
	}
	if n := len(all["cyn"].frames); n != 1 {
		t.Errorf("cyn is sent %d pieces", n)
	}
	for user, want := range map[string][]string{
		"ada": {"bob n1", "dan n3", "bob n4"}, "bob": {"ada n0", "ada n2", "dan n3"},
		"cyn": {"ada n0", "bob n1", "ada n2", "dan n3", "bob n4"},
	} {
		if got := all[user].names(); !slices.Equal(got, want) {
			t.Errorf("%s gets %q, want %q", user, got, want)
		}
	}
	c.options.Presence = 2
	if delivered, dropped := c.Signals(signals); delivered != 0 || dropped != len(signals) {
		t.Errorf("in a crowd %d are delivered and %d dropped", delivered, dropped)
	}
}
