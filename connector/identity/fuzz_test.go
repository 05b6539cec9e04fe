package identity

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"
)

// Whatever a token's claims are, they are refused in one line that quotes nothing
// of them, or are for a user with a name and an end.
func FuzzClaims(f *testing.F) {
	now := time.Unix(1_790_000_000, 0)
	for _, seed := range []string{
		`{"sub":"ada","iat":1790000000,"exp":1790003600,"iss":"id","aud":"parley"}`, `{"sub":"ada","iat":1790000000,"exp":1790003600.5,"iss":"id","aud":["x","parley"],"parley":{"info":{"a":[1 ]},"grants":[{"channels":["*"],"allow":["*"]}]}}`,
		`{"sub":"ada","exp":1e400}`, `{"sub":7,"exp":"1"}`, `{"sub":"a","sub":"b"}`, `[]`, `null`, `{"exp":1,"channel":null}`,
	} {
		f.Add([]byte(seed))
	}
	auth := Auth{Issuer: "id", Audience: "parley", MaxAge: time.Hour}
	f.Fuzz(func(t *testing.T, claims []byte) {
		u, err := auth.read(claims, now)
		switch {
		case err != nil && (strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 400 || u.Name != ""):
			t.Errorf("%q: %+v, %q", claims, u, err)
		case err == nil && (u.Name == "" || !u.Expires.After(now) || u.Expires.After(now.Add(time.Hour+leeway)) || len(u.Info) > maxInfo):
			t.Errorf("%q is for %+v", claims, u)
		}
	})
}

// No text is a token that a key did not sign, and its parts are those that it was
// made of.
func FuzzToken(f *testing.F) {
	encode := base64.RawURLEncoding.EncodeToString
	for _, seed := range []string{`{"alg":"HS256"}`, `{"alg":"none"}`, `{"alg":"HS256","kid":"a","crit":["x"]}`, `{"alg":"HS256","alg":"none"}`, `null`, ``} {
		f.Add(encode([]byte(seed)) + "." + encode([]byte(`{"sub":"ada","exp":9999999999}`)) + ".AAAA")
	}
	f.Add("..")
	f.Add("a.b.c")
	v := NewVerifier(Auth{Keys: []Key{{Material: []byte(strings.Repeat("k", 32))}}, Algorithms: []string{"HS256"}}, nil)
	f.Fuzz(func(t *testing.T, text string) {
		if u, err := v.Verify(t.Context(), text); err == nil {
			t.Errorf("%q is for %+v", text, u)
		} else if strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 400 {
			t.Errorf("%q: %q", text, err)
		}
		if p, err := parse(text); err == nil && p.signed+"."+encode(p.signature) != text {
			t.Errorf("%q is read as %q and %x", text, p.signed, p.signature)
		}
	})
}

// A key set has public keys that can verify, 64 at most, or is refused.
func FuzzKeySet(f *testing.F) {
	for _, seed := range []string{
		`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`, `{"keys":[{"kty":"oct","k":"AAAA"}]}`, `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
		`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}`, `{"keys":[{"kty":"OKP","x5c":["MIIB"],"x5u":"x","key_ops":["verify"],"use":"sig"}]}`, `{"keys":[null]}`, `<html>`, `{`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseSet(text)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxKeys {
			t.Errorf("%q: %d keys, %v", text, len(keys), err)
		}
		for _, k := range keys {
			if _, secret := k.Material.([]byte); secret || len(k.Fitting()) == 0 {
				t.Errorf("%q has a key %T", text, k.Material)
			}
		}
	})
}

func FuzzCacheControl(f *testing.F) {
	f.Add("public, max-age=600", "5")
	f.Add(`max-age="-1", no-store`, "x")
	f.Add("max-age=99999999999999999999", "2147483647")
	f.Fuzz(func(t *testing.T, control, age string) {
		if keep := keepFor(http.Header{"Cache-Control": {control}, "Age": {age}}); keep < minKeep || keep > maxKeep {
			t.Errorf("%q, %q: it is kept for %v", control, age, keep)
		}
	})
}
