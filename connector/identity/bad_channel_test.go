package identity

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// A channel token grants something to its user in its channel alone, and says what
// it grants.
func TestBadChannelTokens(t *testing.T) {
	now := time.Unix(1_790_000_000, 0)
	auth := Auth{Issuer: "id", Audience: "parley", MaxAge: time.Hour}
	right := map[string]string{"sub": `"ada"`, "iat": "1790000000", "exp": "1790003600", "iss": `"id"`, "aud": `"parley"`, "channel": `"lobby"`, "allow": `["join"]`}
	claims := func(claim, value string) []byte {
		var all []string
		for name, v := range right {
			if name == claim {
				v = value
			}
			if v != "" {
				all = append(all, `"`+name+`":`+v)
			}
		}
		return []byte("{" + strings.Join(all, ",") + "}")
	}
	if c, err := auth.readChannel(claims("", ""), "ada", "lobby", now); err != nil || c.Allow == 0 {
		t.Fatalf("a good one: %+v, %v", c, err)
	}
	for name, c := range map[string]struct{ claim, value, says string }{
		"of another user": {"sub", `"eve"`, "another user's"}, "of the user in capitals": {"sub", `"Ada"`, "another user's"}, "of nobody": {"sub", "", "subject"}, "of null": {"sub", "null", "subject"}, "of a number": {"sub", "7", "subject"}, "of a list": {"sub", `["ada"]`, "subject"}, "of a user with a blank": {"sub", `"ada "`, "subject"},
		"without a channel": {"channel", "", "for hello"}, "for another channel": {"channel", `"lobby2"`, "another channel"}, "for the channel in capitals": {"channel", `"Lobby"`, "another channel"}, "for a channel of null": {"channel", "null", "another channel"}, "for a number": {"channel", "7", "another channel"}, "for a list with the channel": {"channel", `["lobby"]`, "another channel"}, "for a pattern": {"channel", `"*"`, "another channel"}, "for a pattern of the channel": {"channel", `"lob*"`, "another channel"}, "for an empty channel": {"channel", `""`, "another channel"}, "for the channel and a NUL": {"channel", `"lobby\u0000"`, "another channel"}, "for half a surrogate": {"channel", `"\ud800"`, "cannot be read"}, "for true": {"channel", "true", "another channel"}, "for an object": {"channel", `{"lobby":1}`, "another channel"},
		"without allow": {"allow", "", "allow is missing"}, "with an allow of null": {"allow", "null", "allow is missing"}, "with an allow that is a string": {"allow", `"join"`, "allow is of another type"}, "with an allow that is an object": {"allow", `{"join":true}`, "allow is of another type"}, "with an allow that is a number": {"allow", "7", "allow is of another type"}, "with an allow that is true": {"allow", "true", "allow is of another type"}, "with a number in allow": {"allow", `["join",7]`, "allow/1 must be a string"}, "with null in allow": {"allow", `[null]`, "allow/0 must be a string"}, "with a list in allow": {"allow", `[["join"]]`, "allow/0 must be a string"},
		"without exp": {"exp", "", "no expiry"}, "with an exp that is a string": {"exp", `"1790003600"`, "is not a number of seconds"}, "with an exp of null": {"exp", "null", "is not a number of seconds"}, "with an exp in milliseconds": {"exp", "1790003600000", "is not a number of seconds"}, "that has run out": {"exp", "1789999999", "expired"}, "that runs out now": {"exp", "1790000000", "expired"}, "that lasts too long": {"exp", "1790003601", "longer than"}, "without iat": {"iat", "", "needs iat"}, "issued in the future": {"iat", "1790000031", "future"},
		"of another issuer": {"iss", `"x"`, "another issuer"}, "without an issuer": {"iss", "", "another issuer"}, "for another audience": {"aud", `"x"`, "another audience"}, "without an audience": {"aud", "", "another audience"},
		"with a member twice": {"allow", `["join"],"allow":["*"]`, "cannot be read"}, "with the channel twice": {"channel", `"lobby","channel":"lobby"`, "cannot be read"}, "with the user twice": {"sub", `"eve","sub":"ada"`, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := auth.readChannel(claims(c.claim, c.value), "ada", "lobby", now)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, want an error that says %q", err, c.says)
			}
			if errors.Is(err, ErrExpired) != (c.says == "expired") {
				t.Errorf("expired alone: %v", err)
			}
		})
	}
}

// Whatever its claims are, a channel token is for the user and the channel that
// were asked for, or refused in one line.
func FuzzChannelClaims(f *testing.F) {
	now := time.Unix(1_790_000_000, 0)
	for _, seed := range []string{`{"sub":"ada","exp":1790000100,"channel":"lobby","allow":["join","*"]}`, `{"sub":"ada","exp":1790000100,"channel":["lobby"],"allow":null,"jti":7}`, `{"sub":"eve","exp":1,"channel":"lobby"}`, `[]`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, claims []byte) {
		c, err := (&Auth{}).readChannel(claims, "ada", "lobby", now)
		if err != nil && (strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 400) {
			t.Errorf("%q: %q", claims, err)
		}
		if err == nil && !c.Expires.After(now) {
			t.Errorf("%q: %+v", claims, c)
		}
		for _, other := range [][2]string{{"eve", "lobby"}, {"ada", "lobby2"}} {
			if _, also := (&Auth{}).readChannel(claims, other[0], other[1], now); err == nil && also == nil {
				t.Errorf("%q is for %q, too", claims, other)
			}
		}
	})
}
