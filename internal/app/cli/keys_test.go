package cli

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is around a key, and its kind, do not make a secret of it.
func TestKeysAreNoSecrets(t *testing.T) {
	k := makeKeys(t)
	spki, pem64 := base64.StdEncoding.EncodeToString(k.der), base64.StdEncoding.EncodeToString([]byte(k.rsa))
	store, err := asn1.Marshal(struct { // PKCS #12, encrypted PKCS #8 and DSA are sequences like this
		Version int
		Content []byte
	}{3, bytes.Repeat([]byte{7}, 40)})
	if err != nil {
		t.Fatal(err)
	}
	swapped := []byte(utf16Text(k.ed))
	for i := 0; i+1 < len(swapped); i += 2 {
		swapped[i], swapped[i+1] = swapped[i+1], swapped[i]
	}
	values := `"n":"` + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xa7}, 64)) + `","e":"AQAB"`
	colons := strings.ReplaceAll(fmt.Sprintf("% x", k.der), " ", ":")
	for name, text := range map[string]string{
		"quoted":                   `"` + spki + `"`,
		"a variable":               `KEY="` + spki + `"`,
		"an exported variable":     "export KEY=" + pem64,
		"a variable of PEM":        "KEY='" + pem64 + "'",
		"YAML":                     "key: " + pem64,
		"a data URI":               "data:application/x-pem-file;base64," + pem64,
		"UTF-16 without a mark":    utf16Text(k.ed)[2:],
		"UTF-16, big endian":       string(swapped[2:]),
		"UTF-16 in base64":         base64.StdEncoding.EncodeToString([]byte(utf16Text(k.ed))),
		"a JWK in single quotes":   `{'kty':'RSA','n':'` + spki[:8] + `','x':'---------------------------'}`,
		"a JWK in a string":        `"{\"kty\":\"OKP\",\"x\":\"-------------------------------\"}"`,
		"a JWK in YAML":            "kty: OKP\nx: -------------------------------------",
		"a JWK's values":           values,
		"hex with colons":          colons,
		"hex of C":                 "0x" + strings.ReplaceAll(colons, ":", ", 0x"),
		"hex of a program":         `\x` + strings.ReplaceAll(colons, ":", `\x`),
		"hex with its sign":        "0x" + hex.EncodeToString(k.der),
		"PKCS #12":                 string(store),
		"PKCS #12 in base64":       base64.StdEncoding.EncodeToString(store),
		"a store of Java":          "\xfe\xed\xfe\xed\x00\x00\x00\x02" + strings.Repeat("\x01\xff", 30),
		"PKCS #1, cut":             string(k.pkcs1[:200]),
		"PKCS #1, cut, in base64":  base64.StdEncoding.EncodeToString(k.pkcs1[:200]),
		"the end of PKCS #1":       string(k.pkcs1[60:]),
		"its end in base64":        base64.StdEncoding.EncodeToString(k.pkcs1[60:]),
		"a modulus of openssl":     "Modulus=" + strings.ToUpper(hex.EncodeToString(k.pkcs1[9:200])),
		"PEM of a word processor":  "–––––BEGIN\u00a0PUBLIC\u00a0KEY–––––\n" + spki[:40],
		"XML with a namespace":     `<ds:RSAKeyValue xmlns:ds="x"><ds:Modulus>x</ds:Modulus></ds:RSAKeyValue>`,
		"a JWK after a variable":   "KEY={kty=OKP,x=-------------------------------}",
		"an exponent":              `e=AQAB n=` + strings.Repeat("q", 40),
		"the end of PEM, cut":      strings.Repeat("q", 31) + "wIDAQAB",
		"SSH":                      "ssh-ed25519 " + strings.Repeat("q", 40),
		"age":                      "age1" + strings.Repeat("q", 58),
		"nothing but zeros":        strings.Repeat("\x00", 64),
		"a secret in UTF-16, bare": utf16Text(strings.Repeat("s3cret+/", 8))[2:],
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadSecret(path); err == nil {
			t.Errorf("%s is taken as a secret", name)
		}
	}
}

// What `openssl rand` and the like make stays a secret.
func TestSecretsAreNoKeys(t *testing.T) {
	for i := range 500 {
		raw := make([]byte, 32+i%96)
		rand.Read(raw)
		raw[0] |= 0x40 // no sequence in DER, of which one in 65,000 would begin like one
		for _, text := range []string{string(raw), hex.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawURLEncoding.EncodeToString(raw)} {
			if looksLikeKey([]byte(text)) {
				t.Fatalf("%q looks like a key", text)
			}
		}
	}
	long := strings.Repeat("Pq7", 11)
	for _, end := range []string{"kty", "jwk", "jwks", "x5c", "X5U", "x5t", "AQAB"} { // as one secret in thousands ends
		for _, text := range []string{
			long + "/" + end + "=", long + "+" + end + "==", long + "-" + end + "=", long + "\n" + end + "=\n", `"` + long + "/" + end + `="`, end + "+" + long + "=", end + "/" + long,
		} {
			if looksLikeKey([]byte(text)) {
				t.Errorf("%q looks like a key", text)
			}
		}
	}
	for _, text := range []string{"ssh-" + long, "-ssh-a" + long, "correct horse battery staple, and three more words", "SECRET=" + rand.Text() + rand.Text()} {
		if looksLikeKey([]byte(text)) {
			t.Errorf("%q looks like a key", text)
		}
	}
}
