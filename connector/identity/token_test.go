package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// issuer makes tokens of any header and claims, signed as its algorithm has it.
type issuer struct {
	auth      *Auth
	algorithm string
	private   any
}

func newIssuers(t *testing.T) []issuer {
	t.Helper()
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte(strings.Repeat("k", 32))
	return []issuer{
		{&Auth{Keys: []Key{{Material: edPublic}}, Algorithms: []string{"EdDSA"}}, "EdDSA", ed},
		{&Auth{Keys: []Key{{Material: &ec.PublicKey}}, Algorithms: []string{"ES256"}}, "ES256", ec},
		{&Auth{Keys: []Key{{Material: &rs.PublicKey}}, Algorithms: []string{"RS256", "PS256"}}, "RS256", rs},
		{&Auth{Keys: []Key{{Material: secret}}, Algorithms: []string{"HS256"}}, "HS256", secret},
	}
}

func (i issuer) sign(t *testing.T, algorithm string, key any, header, claims string) string {
	t.Helper()
	signed := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.GetSigningMethod(algorithm).Sign(signed, key)
	if err != nil {
		t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// token is one that is right but for its claims.
func (i issuer) token(t *testing.T, claims string) string {
	t.Helper()
	return i.sign(t, i.algorithm, i.private, `{"alg":"`+i.algorithm+`","typ":"JWT"}`, claims)
}

func (i issuer) verify(token string) (User, error) {
	return NewVerifier(*i.auth, nil).Verify(context.Background(), token)
}

func at(d time.Duration) string { return fmt.Sprint(time.Now().Add(d).Unix()) }

func TestClaims(t *testing.T) {
	hour := at(time.Hour)
	for _, i := range newIssuers(t) {
		for _, c := range []struct {
			claims string
			user   string // "": refused
		}{
			{`{"sub":"ada","exp":` + hour + `}`, "ada"},
			{`{"sub":"ada","SUB":"eve","exp":` + hour + `}`, "ada"},
			{`{"SUB":"eve","sub":"ada","Sub":"bob","exp":` + hour + `}`, "ada"},
			{`{"sub":"ada","exp":` + hour + `.5,"other":{"a":[1]},"iat":1,"nbf":1.5}`, "ada"},
			{`{"sub":"ada","exp":` + hour + `,"nbf":` + at(20*time.Second) + `}`, "ada"},
			{`{"sub":"ada","exp":` + hour + `e0}`, "ada"},
			{`{"sub":"ada","exp":` + hour + `,"nbf":` + at(50*time.Second) + `}`, ""},
			{`{"sub":"ada","exp":` + at(-time.Second) + `}`, ""},
			{`{"sub":"ada","exp":` + at(-time.Hour) + `,"EXP":` + hour + `}`, ""},
			{`{"sub":"ada","EXP":` + hour + `}`, ""},
			{`{"SUB":"ada","exp":` + hour + `}`, ""},
			{`{"sub":"ada","sub":"eve","exp":` + hour + `}`, ""},
			{`{"sub":"ada","s\u0075b":"ada","exp":` + hour + `}`, ""},
			{`{"sub":"ada","exp":1,"exp":` + hour + `}`, ""},
			{`{"sub":"ada","exp":` + hour + `,"x":{"a":1,"a":2}}`, ""},
			{`{"sub":"ada\ud800","exp":` + hour + `}`, ""},
			{`{"sub":"ada","exp":` + hour + `,"x":"\ud800"}`, ""},
			{"{\"sub\":\"ada\xff\",\"exp\":" + hour + "}", ""},
			{`{"sub":"ada\u200b","exp":` + hour + `}`, ""},
			{`{"sub":" ada","exp":` + hour + `}`, ""},
			{`{"sub":"","exp":` + hour + `}`, ""},
			{`{"sub":null,"exp":` + hour + `}`, ""},
			{`{"sub":7,"exp":` + hour + `}`, ""},
			{`{"sub":["ada"],"exp":` + hour + `}`, ""},
			{`{"sub":"ada"}`, ""},
			{`{"sub":"ada","exp":null}`, ""},
			{`{"sub":"ada","exp":"` + hour + `"}`, ""},
			{`{"sub":"ada","exp":true}`, ""},
			{`{"sub":"ada","exp":-1}`, ""},
			{`{"sub":"ada","exp":0}`, ""},
			{`{"sub":"ada","exp":1e400}`, ""},
			{`{"sub":"ada","exp":1e18}`, ""},
			{`{"sub":"ada","exp":9223372036854775808}`, ""},
			{`{"sub":"ada","exp":-9e99}`, ""},
			{`{"sub":"ada","exp":` + hour + `,"nbf":"0"}`, ""},
			{`{"sub":"ada","exp":` + hour + `,"iat":{}}`, ""},
			{`{"sub":"ada","exp":` + hour + `} `, "ada"},
			{`{"sub":"ada","exp":` + hour + `}{}`, ""},
			{"\xef\xbb\xbf" + `{"sub":"ada","exp":` + hour + `}`, ""},
			{`[]`, ""}, {`null`, ""}, {`"ada"`, ""}, {``, ""},
		} {
			who, err := i.verify(i.token(t, c.claims))
			if who.Name != c.user || (err == nil) != (c.user != "") {
				t.Errorf("%s %s: %q, %v", i.algorithm, c.claims, who.Name, err)
			}
			if err == nil && time.Until(who.Expires) > time.Hour+time.Second {
				t.Errorf("%s: it expires at %v", c.claims, who.Expires)
			}
		}
	}
}

func TestAudience(t *testing.T) {
	i := newIssuers(t)[0]
	i.auth.Audience = "parley"
	for claim, ok := range map[string]bool{
		`"aud":"parley"`: true, `"aud":["other","parley"]`: true, `"x":1`: false, `"aud":"Parley"`: false, `"AUD":"parley"`: false, `"aud":[]`: false,
		`"aud":null`: false, `"aud":["other"]`: false, `"aud":["parley",7]`: false, `"aud":{"parley":1}`: false, `"aud":7`: false, `"aud":[["parley"]]`: false,
	} {
		if _, err := i.verify(i.token(t, `{"sub":"ada","exp":`+at(time.Hour)+`,`+claim+`}`)); (err == nil) != ok {
			t.Errorf("%s: %v", claim, err)
		}
	}
}

// Only what the key signed in a configured algorithm counts, in one form.
func TestSignatures(t *testing.T) {
	claims := `{"sub":"ada","exp":` + at(time.Hour) + `}`
	all := newIssuers(t)
	ed, rs, hs := all[0], all[2], all[3]
	der, err := x509.MarshalPKIXPublicKey(rs.auth.Keys[0].Material)
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	good := ed.token(t, claims)
	parts := strings.Split(good, ".")
	encode := base64.RawURLEncoding.EncodeToString
	for name, c := range map[string]struct {
		by    issuer
		token string
		ok    bool
	}{
		"PS256 for RSA":            {rs, rs.sign(t, "PS256", rs.private, `{"alg":"PS256"}`, claims), true},
		"a kid and more":           {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","kid":"../../dev/null","jku":"http://evil.example","jwk":{"kty":"OKP"}}`, claims), true},
		"RS384 for RS256":          {rs, rs.sign(t, "RS384", rs.private, `{"alg":"RS384"}`, claims), false},
		"none":                     {ed, encode([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", false},
		"None":                     {ed, encode([]byte(`{"alg":"None"}`)) + "." + parts[1] + ".", false},
		"no alg":                   {ed, ed.sign(t, "EdDSA", ed.private, `{"typ":"JWT"}`, claims), false},
		"Alg":                      {ed, ed.sign(t, "EdDSA", ed.private, `{"Alg":"EdDSA"}`, claims), false},
		"alg of another key":       {rs, ed.token(t, claims), false},
		"the public key's HMAC":    {rs, rs.sign(t, "HS256", public, `{"alg":"HS256"}`, claims), false},
		"that with alg RS256":      {rs, rs.sign(t, "HS256", public, `{"alg":"RS256"}`, claims), false},
		"DER's HMAC":               {rs, rs.sign(t, "HS256", der, `{"alg":"HS256"}`, claims), false},
		"an empty key's HMAC":      {hs, hs.sign(t, "HS256", []byte{}, `{"alg":"HS256"}`, claims), false},
		"alg twice":                {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"none","alg":"EdDSA"}`, claims), false},
		"alg twice, one none":      {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","\u0061lg":"none"}`, claims), false},
		"alg a list":               {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":["EdDSA"]}`, claims), false},
		"crit":                     {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","crit":["exp"]}`, claims), false},
		"crit, empty":              {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","crit":[]}`, claims), false},
		"crit, null":               {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","crit":null}`, claims), false},
		"b64":                      {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","b64":false,"crit":["b64"]}`, claims), false},
		"b64 alone":                {ed, ed.sign(t, "EdDSA", ed.private, `{"alg":"EdDSA","b64":false}`, claims), false},
		"a header that is a list":  {ed, ed.sign(t, "EdDSA", ed.private, `["EdDSA"]`, claims), false},
		"other claims":             {ed, parts[0] + "." + encode([]byte(`{"sub":"eve","exp":9999999999}`)) + "." + parts[2], false},
		"no signature":             {ed, parts[0] + "." + parts[1] + ".", false},
		"two parts":                {ed, parts[0] + "." + parts[1], false},
		"four parts":               {ed, good + ".", false},
		"five parts":               {ed, good + "..", false},
		"padding":                  {ed, good + "==", false},
		"a line's end":             {ed, good + "\n", false},
		"a line's end within":      {ed, parts[0] + "." + parts[1] + "." + parts[2][:9] + "\r\n" + parts[2][9:], false},
		"a blank":                  {ed, good + " ", false},
		"another last character":   {ed, good[:len(good)-1] + "B", false},
		"base64 of the other kind": {ed, parts[0] + "." + parts[1] + "." + strings.NewReplacer("-", "+", "_", "/").Replace(parts[2]) + "+", false},
		"nothing":                  {ed, "", false},
		"dots":                     {ed, "..", false},
	} {
		if who, err := c.by.verify(c.token); (err == nil) != c.ok {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	if _, err := ed.verify(good); err != nil {
		t.Error(err)
	}
	rs.auth.Keys[0].Algorithm = "PS256"
	for algorithm, ok := range map[string]bool{"RS256": false, "PS256": true} {
		if _, err := rs.verify(rs.sign(t, algorithm, rs.private, `{"alg":"`+algorithm+`"}`, claims)); (err == nil) != ok {
			t.Errorf("%s with a key for PS256: %v", algorithm, err)
		}
	}
}
