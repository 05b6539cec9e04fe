package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// badToken is a token that does not count, and what its error says.
type badToken struct{ name, token, says string }

const (
	notJWT     = "not a signed JWT"
	otherAlg   = "another algorithm"
	badSign    = "signature is not valid"
	badHeader  = "header cannot be read"
	badClaims  = "claims cannot be read"
	noSeconds  = "is not a number of seconds"
	extensions = "an extension that is not supported"
)

func encoded(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// forms are tokens whose text is wrong, whatever they say.
func badForms(good string) (all []badToken) {
	parts := strings.Split(good, ".")
	head, payload, signature := parts[0], parts[1], parts[2]
	for name, token := range map[string]string{
		"nothing": "", "a word": "token", "a blank": " ", "one dot": ".", "three dots": "...", "one part": head, "two parts": head + "." + payload, "four parts": good + ".x", "a dot last": good + ".", "a dot first": "." + good,
		"five parts, as a JWE": head + "." + payload + "." + signature + "." + payload + "." + signature, "a JWE of real form": encoded(`{"alg":"RSA-OAEP","enc":"A256GCM"}`) + ".a.b.c.d",
		"two dots in the middle": head + ".." + payload + "." + signature, "a comma for a dot": head + "," + payload + "," + signature, "the scheme before it": "Bearer " + good, "quotes around it": `"` + good + `"`, "a blank after it": good + " ", "a line end after it": good + "\n", "a CR after it": good + "\r",
		"a line end inside": head + ".\n" + payload + "." + signature, "a tab inside": head + ".\t" + payload + "." + signature, "a NUL after it": good + "\x00", "a NUL inside": head + "\x00." + payload + "." + signature, "another token after it": good + " " + good, "padding": good + "=", "more padding": good + "==", "padding of the header": head + "=." + payload + "." + signature,
		"padding of the claims": head + "." + payload + "=." + signature, "a percent for a dot": strings.ReplaceAll(good, ".", "%2E"), "base64 of all of it": encoded(good), "JSON serialisation": `{"payload":"` + payload + `","signatures":[{"protected":"` + head + `","signature":"` + signature + `"}]}`,
		"flattened JSON": `{"protected":"` + head + `","payload":"` + payload + `","signature":"` + signature + `"}`, "JSON without base64": `{"alg":"EdDSA"}.{"sub":"ada"}.x`, "hex": fmt.Sprintf("%x", good), "one character of base64": "a." + payload + "." + signature, "not UTF-8": "\xff\xfe." + payload + "." + signature,
		"a plus": head + "." + payload + ".+" + signature[1:], "a slash": head + "." + payload + "./" + signature[1:], "bits beyond the last byte": good[:len(good)-1] + next(good[len(good)-1]), "an API key": "sk_live_4242424242424242", "a cookie": "session=" + good, "a PASETO": "v4.public." + payload, "a macaroon": "MDAxY2xvY2F0aW9u", "SAML": "<saml:Assertion/>",
	} {
		all = append(all, badToken{name, token, notJWT})
	}
	long := encoded(strings.Repeat("x", MaxToken))
	return append(all,
		badToken{"a long token", head + "." + long + "." + signature, "at most 8192 bytes"}, badToken{"a long header", long + "." + payload + "." + signature, "at most 8192 bytes"},
		badToken{"a long signature", head + "." + payload + "." + long, "at most 8192 bytes"}, badToken{"one byte too long", strings.Repeat("a", MaxToken+1), "at most 8192 bytes"}, badToken{"dots without end", strings.Repeat(".", MaxToken), notJWT}, badToken{"two dots", "..", badHeader})
}

// next is the following character of base64, which has the same bytes and other
// bits beyond them.
func next(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return alphabet[(strings.IndexByte(alphabet, c)+1)%64:][:1]
}

// badHeaders are those of tokens that the right key signed.
func badHeaders(sign func(header string) string) (all []badToken) {
	for name, c := range map[string][2]string{
		"alg none": {`{"alg":"none"}`, otherAlg}, "alg None": {`{"alg":"None"}`, otherAlg}, "alg NONE": {`{"alg":"NONE"}`, otherAlg}, "alg nOnE": {`{"alg":"nOnE"}`, otherAlg}, "an empty alg": {`{"alg":""}`, otherAlg}, "no alg": {`{"typ":"JWT"}`, otherAlg}, "an alg of null": {`{"alg":null}`, otherAlg},
		"an alg with a blank": {`{"alg":"EdDSA "}`, otherAlg}, "an alg with a NUL": {`{"alg":"EdDSA\u0000"}`, otherAlg}, "an alg in small letters": {`{"alg":"eddsa"}`, otherAlg}, "Alg": {`{"Alg":"EdDSA"}`, otherAlg}, "ALG": {`{"ALG":"EdDSA"}`, otherAlg}, "an alg of the curve": {`{"alg":"Ed25519"}`, otherAlg},
		"alg HS256": {`{"alg":"HS256"}`, otherAlg}, "alg RS256": {`{"alg":"RS256"}`, otherAlg}, "alg ES256": {`{"alg":"ES256"}`, otherAlg}, "alg ES256K": {`{"alg":"ES256K"}`, otherAlg}, "alg PS256": {`{"alg":"PS256"}`, otherAlg}, "alg RSA-OAEP": {`{"alg":"RSA-OAEP","enc":"A128GCM"}`, otherAlg}, "alg dir": {`{"alg":"dir","enc":"A128GCM"}`, otherAlg}, "an alg that is a path": {`{"alg":"../../etc/passwd"}`, otherAlg},
		"an alg that is a number": {`{"alg":7}`, badHeader}, "an alg that is a list": {`{"alg":["EdDSA"]}`, badHeader}, "an alg that is an object": {`{"alg":{"x":"EdDSA"}}`, badHeader}, "an alg that is true": {`{"alg":true}`, badHeader}, "alg twice": {`{"alg":"EdDSA","alg":"EdDSA"}`, badHeader}, "alg and none": {`{"alg":"EdDSA","alg":"none"}`, badHeader}, "alg twice by an escape": {`{"alg":"EdDSA","\u0061lg":"none"}`, badHeader},
		"a kid that is a number": {`{"alg":"EdDSA","kid":7}`, badHeader}, "a kid that is a list": {`{"alg":"EdDSA","kid":["a"]}`, badHeader}, "a kid that is an object": {`{"alg":"EdDSA","kid":{}}`, badHeader}, "kid twice": {`{"alg":"EdDSA","kid":"a","kid":"b"}`, badHeader}, "half a surrogate in kid": {`{"alg":"EdDSA","kid":"\ud800"}`, badHeader},
		"crit of exp": {`{"alg":"EdDSA","crit":["exp"]}`, extensions}, "an empty crit": {`{"alg":"EdDSA","crit":[]}`, extensions}, "a crit of null": {`{"alg":"EdDSA","crit":null}`, extensions}, "a crit that is a string": {`{"alg":"EdDSA","crit":"exp"}`, extensions}, "crit of alg": {`{"alg":"EdDSA","crit":["alg"]}`, extensions}, "crit of what is not there": {`{"alg":"EdDSA","crit":["x"]}`, extensions}, "b64 false": {`{"alg":"EdDSA","b64":false}`, extensions}, "b64 false with crit": {`{"alg":"EdDSA","b64":false,"crit":["b64"]}`, extensions}, "b64 true": {`{"alg":"EdDSA","b64":true}`, extensions},
		"a header that is a list": {`["EdDSA"]`, badHeader}, "a header that is a string": {`"EdDSA"`, badHeader}, "a header that is a number": {`7`, badHeader}, "a header of null": {`null`, otherAlg}, "an empty header": {``, badHeader}, "a header that is cut": {`{"alg":"EdDSA"`, badHeader}, "a header and more": {`{"alg":"EdDSA"}{}`, badHeader}, "a header with a comma last": {`{"alg":"EdDSA",}`, badHeader}, "a header with a BOM": {"\xef\xbb\xbf" + `{"alg":"EdDSA"}`, badHeader},
		"a header that is not UTF-8": {"{\"alg\":\"EdDSA\",\"x\":\"\xff\"}", badHeader}, "a header with a comment": {`{"alg":"EdDSA"/**/}`, badHeader}, "a header nested deeply": {`{"alg":"EdDSA","x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 1999) + `}`, badHeader}, "half a surrogate in the header": {`{"alg":"EdDSA","x":"\ud800"}`, badHeader},
	} {
		all = append(all, badToken{name, sign(c[0]), c[1]})
	}
	return all
}

// badClaimsOf are claims that the right key signed.
func badClaimsOf(sign func(claims string) string) (all []badToken) {
	now, hour, ago := at(0), at(time.Hour), at(-time.Hour)
	const who = `"sub":"ada","iss":"id","aud":"parley"`
	right := `{` + who + `,"iat":` + now + `,"exp":` + hour
	times := map[string]string{
		"a string": `"` + hour + `"`, "an empty string": `""`, "a date": `"2099-01-01T00:00:00Z"`, "NaN as a string": `"NaN"`, "true": `true`, "a list": `[` + hour + `]`, "an object": `{"t":` + hour + `}`, "negative": `-1`, "far below": `-1e300`, "1e400": `1e400`, "1e18": `1e18`, "2^63": `9223372036854775808`, "2^64": `18446744073709551616`, "milliseconds": hour + `000`, "microseconds": hour + `000000`, "400 digits": strings.Repeat("9", 400),
	}
	for _, claim := range []string{"exp", "nbf", "iat"} {
		for name, value := range times {
			text := right + `,"` + claim + `":` + value + `}`
			if claim != "nbf" {
				text = strings.Replace(strings.Replace(text, `,"iat":`+now, "", 1), `,"exp":`+hour, "", 1)
				other := map[string]string{"exp": `,"iat":` + now, "iat": `,"exp":` + hour}[claim]
				text = strings.TrimSuffix(text, "}") + other + "}"
			}
			all = append(all, badToken{claim + " that is " + name, sign(text), noSeconds})
		}
	}
	for name, c := range map[string][2]string{
		"no exp": {`{` + who + `,"iat":` + now + `}`, "no expiry"}, "an exp of null": {`{` + who + `,"iat":` + now + `,"exp":null}`, noSeconds}, "EXP": {`{` + who + `,"EXP":` + hour + `}`, "no expiry"}, "no iat": {`{` + who + `,"exp":` + hour + `}`, "needs iat"}, "an iat of null": {`{` + who + `,"iat":null,"exp":` + hour + `}`, noSeconds}, "an iat in the future": {`{` + who + `,"iat":` + at(time.Minute) + `,"exp":` + hour + `}`, "future"},
		"an nbf in the future": {right + `,"nbf":` + at(time.Minute) + `}`, "not valid yet"}, "31 days": {`{` + who + `,"iat":` + now + `,"exp":` + at(31*24*time.Hour) + `}`, "longer than"}, "until 9999": {`{` + who + `,"iat":` + now + `,"exp":253402300799}`, "longer than"}, "an iat of 0": {`{` + who + `,"iat":0,"exp":` + hour + `}`, "longer than"}, "expired": {`{` + who + `,"iat":` + ago + `,"exp":` + at(-time.Second) + `}`, "expired"}, "an exp of 0": {`{` + who + `,"iat":0,"exp":0}`, "expired"}, "expired, and EXP": {`{` + who + `,"iat":` + ago + `,"exp":` + ago + `,"EXP":` + hour + `}`, "expired"},
		"exp twice": {right + `,"exp":` + hour + `}`, badClaims}, "exp twice by an escape": {right + `,"\u0065xp":9999999999}`, badClaims}, "sub twice": {right + `,"sub":"eve"}`, badClaims}, "sub twice by an escape": {right + `,"s\u0075b":"eve"}`, badClaims}, "a claim twice, deep inside": {right + `,"x":[{"a":1,"a":1}]}`, badClaims}, "half a surrogate": {right + `,"x":"\ud800"}`, badClaims}, "bytes that are not UTF-8": {right + ",\"x\":\"\xff\"}", badClaims}, "a BOM": {"\xef\xbb\xbf" + right + "}", badClaims}, "claims and more": {right + `}{}`, badClaims}, "claims that are cut": {right, badClaims}, "NaN": {`{` + who + `,"exp":NaN}`, badClaims}, "Infinity": {`{` + who + `,"exp":Infinity}`, badClaims}, "hex": {`{` + who + `,"exp":0xffffffff}`, badClaims}, "a comma last": {right + `,}`, badClaims}, "a comment": {right + `/**/}`, badClaims},
		"a list": {`[` + right + `}]`, badClaims}, "a string": {`"ada"`, badClaims}, "null": {`null`, "no expiry"}, "nothing": {``, badClaims}, "an empty object": {`{}`, "no expiry"}, "a token within": {`"` + encoded("{}") + `.` + encoded(right+"}") + `."`, badClaims},
	} {
		all = append(all, badToken{name, sign(c[0]), c[1]})
	}
	change := func(name, claim, value, says string) {
		text := right + "}"
		for _, of := range []string{`"sub":"ada",`, `"iss":"id",`, `"aud":"parley",`} {
			if strings.HasPrefix(of, `"`+claim+`"`) {
				text = strings.Replace(text, of, "", 1)
			}
		}
		if value != "" {
			text = strings.TrimSuffix(text, "}") + `,"` + claim + `":` + value + "}"
		}
		all = append(all, badToken{claim + " that is " + name, sign(text), says})
	}
	for name, value := range map[string]string{"missing": "", "null": `null`, "a number": `7`, "true": `true`, "a list": `["ada"]`, "an object": `{}`, "empty": `""`, "of 129 bytes": `"` + strings.Repeat("x", 129) + `"`, "with a NUL": `"a\u0000"`, "with a line end": `"a\n"`, "with a zero-width space": `"ad\u200ba"`, "after a blank": `" ada"`, "from right to left": `"\u202eada"`} {
		change(name, "sub", value, "subject")
	}
	for name, value := range map[string]string{"missing": "", "null": `null`, "another": `"evil"`, "in capitals": `"ID"`, "with a slash more": `"id/"`, "with a blank": `"id "`, "a list": `["id"]`, "a number": `7`, "empty": `""`, "an object": `{"id":1}`} {
		change(name, "iss", value, "issuer")
	}
	for name, value := range map[string]string{"missing": "", "null": `null`, "another": `"other"`, "in capitals": `"Parley"`, "a list of others": `["a","b"]`, "an empty list": `[]`, "a list with a number": `["parley",7]`, "a list with a list": `[["parley"]]`, "an object": `{"parley":true}`, "a number": `7`, "empty": `""`, "none": `"none"`, "a star": `"*"`, "one in commas": `"a,parley"`} {
		change(name, "aud", value, "audience")
	}
	for name, value := range map[string]string{"a name": `"lobby"`, "null": `null`, "empty": `""`, "a list": `[]`} {
		change(name, "channel", value, "for a channel")
	}
	for name, value := range map[string]string{"null": `null`, "a string": `"admin"`, "a number": `1`, "a list": `[]`, "true": `true`} {
		change(name, "parley", value, "must be an object")
	}
	change("an object with long info", "parley", `{"info":"`+strings.Repeat("i", 511)+`"}`, "more than 512 bytes")
	for name, value := range map[string]string{"an object": `{}`, "a string": `"*"`, "true": `true`, "a list of a string": `["*"]`, "a list of null": `[null]`, "without allow": `[{"channels":["*"]}]`, "without channels": `[{"allow":["*"]}]`, "of a bad pattern": `[{"channels":["{users}"],"allow":["*"]}]`, "with five stars": `[{"channels":["*****"],"allow":["*"]}]`, "with an empty pattern": `[{"channels":[""],"allow":["*"]}]`} {
		change("an object with grants "+name, "parley", `{"grants":`+value+`}`, "grants cannot be used")
	}
	return all
}

// signatures of others, and keys that are made of what is public.
func badSignatures(t *testing.T, all []issuer, claims string) (bad []badToken) {
	t.Helper()
	ed := all[0]
	good := ed.token(t, claims)
	parts := strings.Split(good, ".")
	signature, _ := base64.RawURLEncoding.DecodeString(parts[2])
	with := func(signature []byte) string {
		return parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	flipped := append([]byte(nil), signature...)
	flipped[10] ^= 1
	_, stranger, _ := ed25519.GenerateKey(rand.Reader)
	for name, token := range map[string]string{
		"none at all": parts[0] + "." + parts[1] + ".", "a bit flipped": with(flipped), "zeros": with(make([]byte, 64)), "63 bytes": with(signature[:63]), "65 bytes": with(append(signature[:64:64], 0)), "twice": with(append(signature[:64:64], signature...)), "one byte": with([]byte{1}),
		"a stranger's": ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA"}`, claims), "a stranger's with a kid": ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","kid":"a"}`, claims), "of other claims": parts[0] + "." + encoded(strings.Replace(claims, "ada", "eve", 1)) + "." + parts[2], "of another header": encoded(`{"alg":"EdDSA","typ":"at+jwt"}`) + "." + parts[1] + "." + parts[2],
		"a stranger's with jwk":     ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","jwk":`+jwk(t, stranger.Public(), "a", nil)+`}`, claims),
		"a stranger's with jku":     ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","jku":"http://127.0.0.1:1/jwks.json"}`, claims),
		"a stranger's with x5u":     ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","x5u":"http://127.0.0.1:1/cert.pem"}`, claims),
		"a stranger's with x5c":     ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","x5c":["MIIB"]}`, claims),
		"a kid that is a path":      ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","kid":"../../../../dev/null"}`, claims),
		"a kid that is SQL":         ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","kid":"x' UNION SELECT 'key' --"}`, claims),
		"a kid that is a command":   ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","kid":"|id"}`, claims),
		"a kid that is a URL":       ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","kid":"http://127.0.0.1:1/"}`, claims),
		"a kid of 4,000 characters": ed.sign(t, "EdDSA", stranger, `{"alg":"EdDSA","kid":"`+strings.Repeat("k", 4000)+`"}`, claims),
	} {
		says := badSign
		if strings.Contains(name, "kid") { // keys from files have none here
			says = "a key that is not known here"
		}
		bad = append(bad, badToken{name, token, says})
	}
	return bad
}

// A token is refused with what is wrong with it, and quotes nothing of it; only one
// that has run out is told apart from the others.
func TestBadTokens(t *testing.T) {
	all := newIssuers(t)
	ed := all[0]
	claims := `{"sub":"ada","iss":"id","aud":"parley","iat":` + at(0) + `,"exp":` + at(time.Hour) + `}`
	ed.auth.Issuer, ed.auth.Audience, ed.auth.MaxAge = "id", "parley", 30*24*time.Hour
	if _, err := ed.verify(ed.token(t, claims)); err != nil {
		t.Fatal(err)
	}
	for group, bad := range map[string][]badToken{
		"form":      badForms(ed.token(t, claims)),
		"header":    badHeaders(func(header string) string { return ed.sign(t, "EdDSA", ed.private, header, claims) }),
		"claims":    badClaimsOf(func(claims string) string { return ed.token(t, claims) }),
		"signature": badSignatures(t, all, claims),
	} {
		for _, c := range bad {
			t.Run(group+"/"+c.name, func(t *testing.T) {
				u, err := ed.verify(c.token)
				if err == nil || u.Name != "" || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%.60q is for %q, %v, want an error that says %q", c.token, u.Name, err, c.says)
				}
				if errors.Is(err, ErrExpired) != (c.says == "expired") {
					t.Errorf("expired alone: %v", err)
				}
				if err != nil && (strings.Contains(err.Error(), "evil") || len(err.Error()) > 200) {
					t.Errorf("it quotes the token: %v", err)
				}
			})
		}
	}
}

// Every algorithm with every other's key, and what is made of a public key, is
// refused.
func TestBadAlgorithms(t *testing.T) {
	all := newIssuers(t)
	claims := `{"sub":"ada","exp":` + at(time.Hour) + `}`
	p384, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	p521, _ := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	signers := map[string]issuer{"EdDSA": all[0], "ES256": all[1], "RS256": all[2], "HS256": all[3], "ES384": {nil, "ES384", p384}, "ES512": {nil, "ES512", p521}, "PS384": {nil, "PS384", all[2].private}, "RS512": {nil, "RS512", all[2].private}, "HS384": {nil, "HS384", []byte(strings.Repeat("k", 48))}, "HS512": {nil, "HS512", []byte(strings.Repeat("k", 64))}}
	for _, verifier := range all {
		own := verifier.auth.Keys[0].Material
		publics := map[string][]byte{}
		if _, secret := own.([]byte); !secret {
			der, err := x509.MarshalPKIXPublicKey(own)
			if err != nil {
				t.Fatal(err)
			}
			text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
			publics["DER"], publics["PEM"], publics["PEM without its last line end"] = der, text, text[:len(text)-1]
			publics["the key as a JWK"] = []byte(jwk(t, own, "", nil))
			if rs, ok := own.(*rsa.PublicKey); ok {
				publics["PKCS #1"], publics["the modulus"] = x509.MarshalPKCS1PublicKey(rs), rs.N.Bytes()
			}
		}
		publics["nothing"], publics["a NUL"], publics["a word"] = []byte{}, []byte{0}, []byte("secret")
		for name, key := range publics {
			for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
				for _, claimed := range []string{algorithm, verifier.algorithm} {
					t.Run(fmt.Sprintf("%s keys, %s of %s that says %s", verifier.algorithm, algorithm, name, claimed), func(t *testing.T) {
						if u, err := verifier.verify(verifier.sign(t, algorithm, key, `{"alg":"`+claimed+`"}`, claims)); err == nil {
							t.Errorf("it is for %q", u.Name)
						}
					})
					if claimed == verifier.algorithm && claimed == algorithm {
						break
					}
				}
			}
		}
		for algorithm, signer := range signers {
			if jwt.GetSigningMethod(algorithm) == nil || algorithm == verifier.algorithm {
				continue
			}
			for _, claimed := range []string{algorithm, verifier.algorithm} {
				t.Run(fmt.Sprintf("%s keys, signed by %s that says %s", verifier.algorithm, algorithm, claimed), func(t *testing.T) {
					if u, err := verifier.verify(verifier.sign(t, algorithm, signer.private, `{"alg":"`+claimed+`"}`, claims)); err == nil {
						t.Errorf("it is for %q", u.Name)
					}
				})
			}
		}
	}
}
