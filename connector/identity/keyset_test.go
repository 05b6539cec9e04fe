package identity

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// jwk is a key as a set has it, with members changed; null takes one away.
func jwk(t *testing.T, key any, kid string, change map[string]any) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: kid})
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	for name, value := range change {
		if members[name] = value; value == nil {
			delete(members, name)
		}
	}
	if text, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestKeySets(t *testing.T) {
	ed, edPrivate, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rs, _ := rsa.GenerateKey(rand.Reader, 2048)
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	secret := []byte(strings.Repeat("s", 64))
	good := jwk(t, ed, "good", nil)
	with := func(change map[string]any) string { return jwk(t, ed, "a", change) }
	for name, c := range map[string]struct {
		text string
		kids []string // nil: no set
	}{
		"three kinds":              {`{"keys":[` + good + `,` + jwk(t, &ec.PublicKey, "ec", nil) + `,` + jwk(t, &rs.PublicKey, "", nil) + `],"more":1}`, []string{"good", "ec", ""}},
		"a secret beside":          {`{"keys":[` + jwk(t, secret, "oct", nil) + `,` + good + `]}`, []string{"good"}},
		"a secret alone":           {`{"keys":[` + jwk(t, secret, "oct", nil) + `]}`, nil},
		"a secret with an alg":     {`{"keys":[` + jwk(t, secret, "oct", map[string]any{"alg": "HS256"}) + `]}`, nil},
		"a secret as RSA":          {`{"keys":[` + jwk(t, secret, "oct", map[string]any{"kty": "RSA"}) + `]}`, nil},
		"a private key":            {`{"keys":[` + jwk(t, edPrivate, "a", nil) + `,` + good + `]}`, []string{"good"}},
		"a short key":              {`{"keys":[` + jwk(t, &short.PublicKey, "a", nil) + `,` + good + `]}`, []string{"good"}},
		"another kind":             {`{"keys":[{"kty":"XYZ","kid":"a"},` + good + `]}`, []string{"good"}},
		"no kind":                  {`{"keys":[` + with(map[string]any{"kty": nil}) + `,` + good + `]}`, []string{"good"}},
		"another curve":            {`{"keys":[` + with(map[string]any{"crv": "X25519"}) + `,` + good + `]}`, []string{"good"}},
		"a damaged key":            {`{"keys":[` + with(map[string]any{"x": "!"}) + `,` + good + `]}`, []string{"good"}},
		"a key without its x":      {`{"keys":[` + with(map[string]any{"x": nil}) + `,` + good + `]}`, []string{"good"}},
		"a point off the curve":    {`{"keys":[` + jwk(t, &ec.PublicKey, "a", map[string]any{"y": "AAAA"}) + `,` + good + `]}`, []string{"good"}},
		"a kid that is a number":   {`{"keys":[` + with(map[string]any{"kid": 7}) + `,` + good + `]}`, []string{"good"}},
		"for encryption":           {`{"keys":[` + with(map[string]any{"use": "enc"}) + `,` + good + `]}`, []string{"good"}},
		"for signatures":           {`{"keys":[` + with(map[string]any{"use": "sig", "key_ops": []string{"verify"}}) + `]}`, []string{"a"}},
		"for other operations":     {`{"keys":[` + with(map[string]any{"key_ops": []string{"wrapKey"}}) + `,` + good + `]}`, []string{"good"}},
		"values that are not keys": {`{"keys":[1,null,"x",[],` + good + `]}`, []string{"good"}},
		"no keys":                  {`{"keys":[]}`, nil},
		"keys is null":             {`{"keys":null}`, nil},
		"no set":                   {`{}`, nil},
		"Keys":                     {`{"Keys":[` + good + `]}`, nil},
		"keys twice":               {`{"keys":[],"keys":[` + good + `]}`, nil},
		"a key alone":              {good, nil},
		"HTML":                     {"<html>" + good + "</html>", nil},
		"cut":                      {`{"keys":[` + good, nil},
		"nothing":                  {"", nil},
		"64 keys":                  {`{"keys":[` + good + strings.Repeat(","+good, 63) + `]}`, slices.Repeat([]string{"good"}, 64)},
		"65 keys":                  {`{"keys":[` + good + strings.Repeat(","+good, 64) + `]}`, nil},
	} {
		keys, err := parseSet([]byte(c.text))
		var kids []string
		for _, k := range keys {
			kids = append(kids, k.ID)
		}
		if !slices.Equal(kids, c.kids) || (err == nil) != (c.kids != nil) {
			t.Errorf("%s: keys %q, %v, want %q", name, kids, err, c.kids)
		}
	}
	keys, err := parseSet([]byte(`{"keys":[` + with(map[string]any{"alg": "ES256"}) + `]}`))
	if err != nil || keys[0].fits("EdDSA") || keys[0].fits("ES256") {
		t.Errorf("a key of one kind for another algorithm: %v, %v", keys, err)
	}
}

func TestKeepFor(t *testing.T) {
	for _, c := range []struct {
		control, age string
		want         time.Duration
	}{
		{"", "", 5 * time.Minute},
		{"public", "", 5 * time.Minute},
		{"public, max-age=600", "", 10 * time.Minute},
		{"PUBLIC,Max-Age=600", "", 10 * time.Minute},
		{`max-age="600"`, "", 10 * time.Minute},
		{"max-age=29", "", 30 * time.Second},
		{"max-age=31", "", 31 * time.Second},
		{"max-age=0", "", 30 * time.Second},
		{"max-age=3599", "", 3599 * time.Second},
		{"max-age=86400", "", time.Hour},
		{"max-age=2147483647", "", time.Hour},
		{"max-age=99999999999999999999", "", 5 * time.Minute},
		{"max-age=-1", "", 5 * time.Minute},
		{"max-age=x", "", 5 * time.Minute},
		{"max-age", "", 5 * time.Minute},
		{"s-maxage=600", "", 5 * time.Minute},
		{"no-store", "", 30 * time.Second},
		{"max-age=600, no-cache", "", 30 * time.Second},
		{"max-age=600", "100", 500 * time.Second},
		{"max-age=600", "700", 30 * time.Second},
		{"max-age=600", "x", 10 * time.Minute},
		{"", "100", 5 * time.Minute},
	} {
		h := http.Header{"Age": {c.age}}
		if c.control != "" {
			h.Set("Cache-Control", c.control)
		}
		if got := keepFor(h); got != c.want {
			t.Errorf("Cache-Control: %s, Age: %s: %v, want %v", c.control, c.age, got, c.want)
		}
	}
}

func TestURLs(t *testing.T) {
	for text, ok := range map[string]bool{
		"https://id.example.com/jwks.json": true, "https://id.example.com:8443/a?b=c": true, "http://localhost/x": true, "http://LOCALHOST:81/": true,
		"http://127.0.0.1:81/x": true, "http://127.9.9.9/x": true, "http://[::1]/x": true, "http://[::ffff:127.0.0.1]/x": true,
		"http://id.example.com/": false, "http://10.0.0.1/": false, "http://localhost.example.com/": false, "http://0.0.0.0/": false,
		"https://ada:hunter2@id.example.com/": false, "ftp://localhost/": false, "file:///jwks.json": false, "id.example.com": false, "https://": false,
		"https://:443/": false, "/jwks.json": false, "https://a b/": false,
	} {
		_, err := parseURL(text)
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("the error quotes the URL: %v", err)
		}
	}
}

// Which keys may have signed a token.
func TestChoose(t *testing.T) {
	keys := []Key{{ID: "a", Material: []byte("1")}, {Material: []byte("2")}, {ID: "a", Material: []byte("3")}, {ID: "b", Material: []byte("4")}}
	for kid, want := range map[string]struct {
		chosen string
		known  bool
	}{"": {"1234", true}, "a": {"13", true}, "b": {"4", true}, "c": {"2", false}, "A": {"2", false}} {
		var all []byte
		chosen, known := (&token{header: header{Key: kid}}).choose(keys)
		for _, k := range chosen {
			all = append(all, k.Material.([]byte)...)
		}
		if !bytes.Equal(all, []byte(want.chosen)) || known != want.known {
			t.Errorf("kid %q: %s, %v", kid, all, known)
		}
	}
}
