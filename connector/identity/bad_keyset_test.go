package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"
)

// badKeys are keys of a set that verify nothing.
func badKeys(t *testing.T) map[string]string {
	t.Helper()
	ed, edPrivate, _ := ed25519.GenerateKey(rand.Reader)
	ec, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p224, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	rs, _ := rsa.GenerateKey(rand.Reader, 2048)
	short, _ := rsa.GenerateKey(rand.Reader, 1024)
	secret := []byte(strings.Repeat("s", 64))
	keys := map[string]string{
		"a secret": jwk(t, secret, "a", nil), "a secret that says sig": jwk(t, secret, "a", map[string]any{"use": "sig", "alg": "HS256"}), "a secret that says RSA": jwk(t, secret, "a", map[string]any{"kty": "RSA"}), "a secret that says EC": jwk(t, secret, "a", map[string]any{"kty": "EC"}), "an empty secret": `{"kty":"oct","k":""}`, "a secret without k": `{"kty":"oct"}`,
		"a private Ed25519 key": jwk(t, edPrivate, "a", nil), "a private EC key": jwk(t, ec, "a", nil), "a private RSA key": jwk(t, rs, "a", nil), "RSA of 1024 bits": jwk(t, &short.PublicKey, "a", nil), "RSA of 512 bits": `{"kty":"RSA","n":"` + strings.Repeat("q", 86) + `","e":"AQAB"}`, "RSA of 17,000 bits": `{"kty":"RSA","n":"` + strings.Repeat("q", 2840) + `","e":"AQAB"}`,
		"null": `null`, "a number": `7`, "a string": `"key"`, "a list": `[]`, "an empty object": `{}`, "true": `true`, "a set in a set": `{"keys":[]}`, "PEM in a string": `"-----BEGIN PUBLIC KEY-----"`, "an unknown kind": `{"kty":"XYZ"}`, "a kind in small letters": `{"kty":"rsa","n":"qqqq","e":"AQAB"}`, "a post-quantum key": `{"kty":"AKP","alg":"ML-DSA-44","pub":"qqqq"}`,
	}
	for kind, key := range map[string]any{"Ed25519": ed, "EC": &ec.PublicKey, "RSA": &rs.PublicKey} {
		for name, change := range map[string]map[string]any{
			"no kind": {"kty": nil}, "a kind of null": {"kty": 7}, "another kind": {"kty": map[string]string{"Ed25519": "EC", "EC": "RSA", "RSA": "OKP"}[kind]}, "a kid that is a number": {"kid": 7}, "a kid that is a list": {"kid": []string{"a"}}, "for encryption": {"use": "enc"}, "for an unknown use": {"use": "x"}, "a use that is a number": {"use": 7}, "an alg that is a number": {"alg": 7}, "an x5c that is a string": {"x5c": "MIIB"}, "an x5c that is not a certificate": {"x5c": []string{"MIIB"}},
			"operations of encryption": {"key_ops": []string{"encrypt"}}, "operations of signing": {"key_ops": []string{"sign"}}, "no operations": {"key_ops": []string{}}, "operations that are a string": {"key_ops": "verify"}, "operations that are numbers": {"key_ops": []int{1}},
		} {
			keys[kind+" with "+name] = jwk(t, key, "a", change)
		}
	}
	for name, change := range map[string]map[string]any{"no curve": {"crv": nil}, "an unknown curve": {"crv": "P-999"}, "X25519": {"crv": "X25519"}, "no x": {"x": nil}, "an x that is short": {"x": "AAAA"}, "an x that is not base64": {"x": "!"}, "an x that is a number": {"x": 7}, "an empty x": {"x": ""}} {
		keys["Ed25519 with "+name] = jwk(t, ed, "a", change)
	}
	for name, change := range map[string]map[string]any{"no curve": {"crv": nil}, "an unknown curve": {"crv": "P-999"}, "the curve of Bitcoin": {"crv": "secp256k1"}, "another curve": {"crv": "P-384"}, "no x": {"x": nil}, "no y": {"y": nil}, "a point off the curve": {"y": "AAAA"}, "the point at infinity": {"x": "AA", "y": "AA"}, "a y of another key": {"y": member(t, jwk(t, &p224.PublicKey, "", nil), "y")}} {
		keys["EC with "+name] = jwk(t, &ec.PublicKey, "a", change)
	}
	for name, change := range map[string]map[string]any{"no modulus": {"n": nil}, "no exponent": {"e": nil}, "a modulus that is not base64": {"n": "!"}, "an empty modulus": {"n": ""}, "a modulus that is a number": {"n": 7}, "a modulus of zeros": {"n": strings.Repeat("A", 342)}} {
		keys["RSA with "+name] = jwk(t, &rs.PublicKey, "a", change)
	}
	return keys
}

func member(t *testing.T, text, name string) any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all[name]
}

// A bad key among good ones is ignored, and alone there is no set.
func TestBadKeysOfSets(t *testing.T) {
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	good := jwk(t, public, "good", nil)
	for name, key := range badKeys(t) {
		t.Run(name, func(t *testing.T) {
			if keys, err := parseSet([]byte(`{"keys":[` + key + `]}`)); err == nil || !strings.Contains(err.Error(), "no public key that can verify") {
				t.Errorf("alone: %d keys, %v", len(keys), err)
			}
			if keys, err := parseSet([]byte(`{"keys":[` + key + `,` + good + `]}`)); err != nil || len(keys) != 1 || keys[0].ID != "good" {
				t.Errorf("beside a good one: %d keys, %v", len(keys), err)
			}
		})
	}
}

// What is not a set is refused with a sentence, and quotes nothing.
func TestBadKeySets(t *testing.T) {
	public, _, _ := ed25519.GenerateKey(rand.Reader)
	good := jwk(t, public, "good", nil)
	const noSet, noKey = "not a key set", "no public key"
	for name, c := range map[string][2]string{
		"nothing": {"", noSet}, "a blank": {" ", noSet}, "HTML": {"<!doctype html><html>log in</html>", noSet}, "HTML with keys in it": {"<html>" + good + "</html>", noSet}, "XML": {"<?xml version=\"1.0\"?><keys/>", noSet}, "YAML": {"keys:\n- kty: OKP", noSet}, "PEM": {"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n", noSet}, "DER": {"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70", noSet}, "a text": {"Not found", noSet},
		"null": {"null", noSet}, "a number": {"7", noSet}, "a string": {`"keys"`, noSet}, "true": {"true", noSet}, "a list of keys": {"[" + good + "]", noSet}, "a key alone": {good, noSet}, "an empty object": {"{}", noSet}, "an error": {`{"error":"invalid_client"}`, noSet}, "a discovery document": {`{"issuer":"https://id.example.com","jwks_uri":"https://id.example.com/jwks"}`, noSet}, "certificates by kid": {`{"a":"-----BEGIN CERTIFICATE-----"}`, noSet},
		"keys of null": {`{"keys":null}`, noSet}, "keys that are an object": {`{"keys":{"a":` + good + `}}`, noSet}, "keys that are a string": {`{"keys":"a"}`, noSet}, "keys that are a number": {`{"keys":7}`, noSet}, "Keys": {`{"Keys":[` + good + `]}`, noSet}, "KEYS": {`{"KEYS":[` + good + `]}`, noSet}, "keys twice": {`{"keys":[` + good + `],"keys":[]}`, noSet}, "keys twice by an escape": {`{"keys":[` + good + `],"\u006beys":[]}`, noSet},
		"no keys": {`{"keys":[]}`, noKey}, "a set that is cut": {`{"keys":[` + good, noSet}, "a set and more": {`{"keys":[` + good + `]}x`, noSet}, "two sets": {`{"keys":[` + good + `]}{"keys":[]}`, noSet}, "a comma last": {`{"keys":[` + good + `,]}`, noSet}, "a BOM": {"\xef\xbb\xbf" + `{"keys":[` + good + `]}`, noSet}, "UTF-16": {"{\x00\"\x00k\x00", noSet}, "bytes that are not UTF-8": {"{\"keys\":[" + good + "],\"x\":\"\xff\"}", noSet}, "half a surrogate": {`{"keys":[` + good + `],"x":"\ud800"}`, noSet}, "a comment": {`{"keys":[` + good + `]} // all`, noSet}, "JSONP": {`f({"keys":[` + good + `]})`, noSet}, "gzip": {"\x1f\x8b\x08\x00", noSet},
		"a key with a member twice": {`{"keys":[` + strings.Replace(good, `{`, `{"kid":"x",`, 1) + `]}`, noSet}, "65 keys": {`{"keys":[` + strings.Repeat(good+",", 64) + good + `]}`, "more than 64 keys"}, "1,000 keys": {`{"keys":[` + strings.Repeat(good+",", 999) + good + `]}`, "more than 64 keys"}, "1,000 keys of which none is good": {`{"keys":[` + strings.Repeat("{},", 999) + `{}]}`, noKey}, "brackets without end": {strings.Repeat("[", 20_000), noSet}, "keys nested deeply": {`{"keys":` + strings.Repeat("[", 11_000) + strings.Repeat("]", 11_000) + `}`, noSet},
	} {
		t.Run(name, func(t *testing.T) {
			if keys, err := parseSet([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) || strings.Contains(err.Error(), "good") {
				t.Errorf("%d keys, %v, want an error that says %q", len(keys), err, c[1])
			}
		})
	}
}

// Addresses that keys are not fetched from.
func TestBadKeyAddresses(t *testing.T) {
	for name, address := range map[string]string{
		"nothing": "", "a blank": " ", "a word": "jwks", "a host": "id.example.com", "a path": "/jwks.json", "no host": "https://", "a port alone": "https://:443/", "a blank in it": "https://a b/", "a line end": "https://id.example.com/\n", "HTTP": "http://id.example.com/jwks", "HTTP to a private address": "http://10.0.0.1/", "HTTP to 0.0.0.0": "http://0.0.0.0/", "HTTP to all of IPv6": "http://[::]/", "HTTP to link-local": "http://169.254.169.254/latest", "HTTP below localhost": "http://evil.localhost/",
		"HTTP to a name that begins so": "http://localhost.example.com/", "HTTP to a number": "http://2130706433/", "HTTP to hex": "http://0x7f000001/", "HTTP to an octal address": "http://0177.0.0.1/", "HTTP to a short address": "http://127.1/", "a user": "https://ada@id.example.com/", "a user and a password": "https://ada:hunter2@id.example.com/", "a user on this machine": "http://ada@localhost/", "a user before this machine": "http://localhost@id.example.com/",
		"a file": "file:///etc/jwks.json", "FTP": "ftp://localhost/", "data": "data:application/json,{}", "gopher": "gopher://localhost/", "a socket": "unix:///run/jwks.sock", "javascript": "javascript:1", "wss": "wss://id.example.com/", "half an escape": "https://id.example.com/%zz", "a bracket": "https://[::1/", "a port of letters": "https://id.example.com:http/",
	} {
		t.Run(name, func(t *testing.T) {
			if u, err := parseURL(address); err == nil || !strings.HasPrefix(err.Error(), "it takes") || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%q: %v, %v", address, u, err)
			}
		})
	}
}
