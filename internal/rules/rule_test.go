package rules

import (
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// What is not valid is an error and changes nothing; keys of other versions are
// neither.
func TestBadRecords(t *testing.T) {
	long := strings.Repeat("x", MaxReason+1)
	many := make([]*schema.Grant, maxGrants+1)
	for i := range many {
		many[i] = &schema.Grant{}
	}
	wide := []*schema.Grant{{Channels: make([]string, maxPatterns+1)}}
	for name, c := range map[string]struct {
		key   string
		value []byte
		says  string // "": it is ignored
	}{
		"an unknown key":             {"frozen/ada", []byte("\xff"), ""},
		"no key":                     {"", []byte("\xff"), ""},
		"a key without its slash":    {"revoked", []byte("\xff"), ""},
		"formats":                    {"format/x", []byte("\xff"), ""},
		"no user":                    {"barred/", encode(t, &schema.Bar{}), "a record barred/…: the user must be"},
		"a user with a control":      {"barred/a\x00", encode(t, &schema.Bar{}), "a record barred/…: the user must be"},
		"a user that is too long":    {"grant/" + strings.Repeat("u", 129), encode(t, &schema.UserGrants{}), "a record grant/…: the user must be"},
		"a user that is not UTF-8":   {"order/\xff", encode(t, &schema.Order{}), "a record order/…: the user must be"},
		"no jti":                     {"revoked-token/", encode(t, &schema.TokenRevocation{}), "the jti"},
		"a jti that is too long":     {"revoked-token/" + strings.Repeat("j", MaxTokenID+1), encode(t, &schema.TokenRevocation{}), "the jti"},
		"a jti that is not UTF-8":    {"revoked-token/\xff", encode(t, &schema.TokenRevocation{}), "the jti"},
		"no Protocol Buffers":        {"barred/ada", []byte("\xff\xff"), "cannot be decoded"},
		"a reason that is not UTF-8": {"barred/ada", []byte("\x1a\x01\xff"), "cannot be decoded"},
		"a value that is too long":   {"barred/ada", make([]byte, maxValue+1), "bytes, and may have"},
		"an empty revocation":        {"revoked/ada", []byte{}, "before is not a time"},
		"before 1970":                {"revoked/ada", encode(t, &schema.Revocation{Before: -1}), "before is not a time"},
		"after the year 9999":        {"revoked/ada", encode(t, &schema.Revocation{Before: maxTime + 1}), "before is not a time"},
		"written before 1970":        {"revoked/ada", encode(t, &schema.Revocation{Before: 1, Time: -1}), "a time is not within"},
		"a bar until before 1970":    {"barred/ada", encode(t, &schema.Bar{Until: -1}), "a time is not within"},
		"a token's until after 9999": {"revoked-token/id", encode(t, &schema.TokenRevocation{Until: maxTime + 1}), "a time is not within"},
		"a long reason":              {"barred/ada", encode(t, &schema.Bar{Reason: long}), "the reason has more than"},
		"a long reason to revoke":    {"revoked/ada", encode(t, &schema.Revocation{Before: 1, Reason: long}), "the reason has more than"},
		"a long reason for a token":  {"revoked-token/id", encode(t, &schema.TokenRevocation{Reason: long}), "the reason has more than"},
		"a long reason of an order":  {"order/ada", encode(t, &schema.Order{Reason: long}), "the reason has more than"},
		"a session that is too long": {"order/ada", encode(t, &schema.Order{Session: strings.Repeat("s", 65)}), "the session has more than"},
		"too many grants":            {"grant/ada", encode(t, &schema.UserGrants{Grants: many}), "more than 64 grants"},
		"too many patterns":          {"grant/ada", encode(t, &schema.UserGrants{Grants: wide}), "more than 16 patterns"},
		"format 0":                   {"format", []byte{}, "the number of a format"},
		"a format below 0":           {"format", encode(t, &schema.RulesFormat{Number: -1}), "the number of a format"},
		"a format of no epoch":       {"format", encode(t, &schema.RulesFormat{Number: 2}), "which epoch's format"},
	} {
		table := NewTable()
		put(t, table, Barred, "ada", &schema.Bar{Reason: "before"})
		change, err := table.Apply(c.key, c.value, noon)
		if change != (Change{}) || (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, error %v, want %q", name, change, err, c.says)
		}
		if bar, _ := table.Barred("ada", noon); bar.GetReason() != "before" || table.Stats().Records != 1 {
			t.Errorf("%s: it changed something", name)
		}
	}
}

// Whatever the bytes are, they are decoded or refused, and what is decoded has
// its key, is within its bounds and can be applied.
func FuzzDecode(f *testing.F) {
	for _, r := range []Rule{
		{Revoked, "ada", &schema.Revocation{Before: 1, By: &schema.Author{By: &schema.Author_User{User: "eve"}}, Reason: "lost phone", Time: 2}},
		{RevokedToken, "id", &schema.TokenRevocation{Until: 3}}, {Barred, "a/b", &schema.Bar{Until: 4}},
		{Granted, "ada", &schema.UserGrants{Grants: []*schema.Grant{{Channels: []string{"{user}:*"}, Allow: []string{"join", "*"}}}}},
		{Ordered, "ada", &schema.Order{Session: "s", Reconnect: true, Time: 5}}, {Format, "", &schema.RulesFormat{Number: 2, Epoch: "e"}},
	} {
		f.Add(r.Key(), encode(f, r.Value))
	}
	f.Add("barred/ada", []byte(nil))
	f.Add("revoked/", []byte{0xff})
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		r, err := Decode(key, value)
		if err != nil || r.Kind == 0 {
			return
		}
		if r.Key() != key {
			t.Fatalf("the record of %q is taken for that of %q", key, r.Key())
		}
		table := NewTable()
		change, err := table.Apply(key, value, noon)
		if err != nil || change.Kind != r.Kind || change.Name != r.Name {
			t.Fatalf("applied, it changed %v, error %v", change, err)
		}
		for _, now := range []time.Time{{}, noon, time.UnixMilli(maxTime)} {
			table.Ended(now, time.Hour)
			table.Barred(r.Name, now)
		}
		table.Revoked(r.Name, r.Name, noon)
		table.Granted(r.Name)
		if all := table.Rules(); r.Kind != Format && r.Value != nil && (len(all) != 1 || !proto.Equal(all[0].Value, r.Value)) {
			t.Fatalf("the table has %v, want %v", all, r)
		}
	})
}
