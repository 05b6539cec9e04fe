package cli

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"
)

// keyFiles are the forms in which people have keys.
type keyFiles struct {
	ed, ec256, ec384, rsa, rsaOld, rsaShort, private, certificate string // PEM
	der, pkcs1                                                    []byte
}

func makeKeys(t *testing.T) (k keyFiles) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		must(err)
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	ed, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	must(err)
	ec256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ec384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	must(err)
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	must(err)
	k.ed, k.ec256, k.ec384, k.rsa, k.rsaShort = public(ed), public(&ec256.PublicKey), public(&ec384.PublicKey), public(&long.PublicKey), public(&short.PublicKey)
	k.pkcs1 = x509.MarshalPKCS1PublicKey(&long.PublicKey)
	k.rsaOld = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: k.pkcs1}))
	k.der, err = x509.MarshalPKIXPublicKey(ed)
	must(err)
	der, err := x509.MarshalPKCS8PrivateKey(edPrivate)
	must(err)
	k.private = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	k.certificate = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	return k
}

func utf16Text(text string) string {
	b := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// keyFile is what a file holds, and the algorithm as a public key, or the secret,
// that it is taken for; "": it is refused.
type keyFile struct{ text, public, secret string }

func keyFileCases(k keyFiles) map[string]keyFile {
	lines := strings.Split(strings.TrimSpace(k.ed), "\n")
	sshBlob := append([]byte("\x00\x00\x00\x0bssh-ed25519\x00\x00\x00\x20"), bytes.Repeat([]byte{7}, 32)...)
	secret := strings.Repeat("s3cret+/", 8)
	jwk := `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	spki := base64.StdEncoding.EncodeToString(k.der)
	return map[string]keyFile{
		"Ed25519":                      {k.ed, "EdDSA", ""},
		"Ed25519 of Windows":           {"\xef\xbb\xbf" + strings.ReplaceAll(k.ed, "\n", "\r\n"), "EdDSA", ""},
		"Ed25519 without its last end": {strings.TrimSpace(k.ed), "EdDSA", ""},
		"Ed25519 with text before":     {"the key of issuer 1\n" + k.ed, "EdDSA", ""},
		"P-256":                        {k.ec256, "ES256", ""},
		"P-384":                        {k.ec384, "ES384", ""},
		"RSA":                          {k.rsa, "RS256", ""},
		"RSA in PKCS #1":               {k.rsaOld, "RS256", ""},
		"RSA of 1024 bits":             {k.rsaShort, "", ""},
		"two keys":                     {k.ed + k.ec256, "", ""},
		"two keys, the first damaged":  {strings.Replace(k.ed, "-----END", "----END", 1) + k.ec256, "", ""},
		"a key and other text":         {k.ed + secret, "", ""},
		"a private key":                {k.private, "", ""},
		"a certificate":                {k.certificate, "", ""},
		"PEM in one line":              {strings.Join(lines, ""), "", ""},
		"PEM in one line with blanks":  {strings.Join(lines, " "), "", ""},
		"PEM with \\n as text":         {strings.Join(lines, `\n`), "", ""},
		"PEM with a damaged end":       {strings.Replace(k.ed, "-----END PUBLIC KEY-----", "-----END PUBLIC KE-----", 1), "", ""},
		"PEM without its end":          {strings.Join(lines[:2], "\n"), "", ""},
		"PEM without its begin":        {strings.Join(lines[1:], "\n"), "", ""},
		"PEM indented":                 {"  " + strings.Join(lines, "\n  "), "", ""},
		"PEM with a damaged line":      {strings.Replace(k.ed, lines[1], lines[1][:20]+"!!", 1), "", ""},
		"PEM in UTF-16":                {utf16Text(k.ed), "", ""},
		"DER":                          {string(k.der), "", ""},
		"DER in base64":                {spki, "", ""},
		"DER in base64, URL":           {base64.RawURLEncoding.EncodeToString(k.der), "", ""},
		"DER in base64, damaged":       {spki[:len(spki)-3] + "!", "", ""},
		"DER in hex":                   {hex.EncodeToString(k.der), "", ""},
		"PKCS #1 in base64":            {base64.StdEncoding.EncodeToString(k.pkcs1), "", ""},
		"PEM in base64":                {base64.StdEncoding.EncodeToString([]byte(k.ed)), "", ""},
		"PEM in base64, in lines":      {"LS0tLS1C\n" + base64.StdEncoding.EncodeToString([]byte(k.ed))[8:], "", ""},
		"PEM in base64, twice":         {base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(k.ed)))), "", ""},
		"PEM in hex":                   {hex.EncodeToString([]byte(k.ed)), "", ""},
		"a JWK in base64":              {base64.RawURLEncoding.EncodeToString([]byte(jwk)), "", ""},
		"a key's variable":             {"PUBLIC_KEY=" + spki, "", ""},
		"XML of .NET":                  {"<RSAKeyValue><Modulus>" + secret + "</Modulus></RSAKeyValue>", "", ""},
		"a JWK":                        {jwk, "", ""},
		"a JWKS":                       {`{"keys":[` + jwk + `]}`, "", ""},
		"a JWKS, damaged":              {`{"keys":[` + jwk, "", ""},
		"a symmetric JWK":              {`{"kty":"oct","k":"` + secret + `"}`, "", ""},
		"another JSON object":          {`{"secret":"` + secret + `"}`, "", ""},
		"ssh-ed25519":                  {"ssh-ed25519 " + base64.StdEncoding.EncodeToString(sshBlob) + " ada@box\n", "", ""},
		"ssh with options":             {`no-pty ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ`, "", ""},
		"ssh's base64 alone":           {base64.StdEncoding.EncodeToString(sshBlob), "", ""},
		"SSH2":                         {"---- BEGIN SSH2 PUBLIC KEY ----\n" + base64.StdEncoding.EncodeToString(sshBlob) + "\n---- END SSH2 PUBLIC KEY ----\n", "", ""},
		"PuTTY":                        {"PuTTY-User-Key-File-3: ssh-ed25519\n" + secret, "", ""},
		"a secret":                     {secret + "\n", "", secret},
		"a secret of Windows":          {"\xef\xbb\xbf" + secret + "\r\n", "", secret},
		"a binary secret":              {strings.Repeat("\x80\x01\xff", 20), "", strings.Repeat("\x80\x01\xff", 20)},
		"a secret in UTF-16":           {utf16Text(secret), "", ""},
		"a secret in base64":           {base64.StdEncoding.EncodeToString([]byte(secret)), "", base64.StdEncoding.EncodeToString([]byte(secret))},
		"a short one":                  {"secret", "", ""},
		"nothing":                      {"\n", "", ""},
		"no byte at all":               {"", "", ""},
		"HTML":                         {"<!doctype html>\n<html>404</html>", "", ""},
		"HTML with a key in it":        {"<pre>" + k.ed + "</pre>", "", ""},
		"a request for a certificate":  {strings.ReplaceAll(k.certificate, "CERTIFICATE", "CERTIFICATE REQUEST"), "", ""},
		"a certificate and its key":    {k.certificate + k.private, "", ""},
		"a public key and its private": {k.ed + k.private, "", ""},
		"a private key of SEC 1":       {strings.ReplaceAll(k.private, "PRIVATE", "EC PRIVATE"), "", ""},
		"an encrypted private key":     {strings.ReplaceAll(k.private, "PRIVATE", "ENCRYPTED PRIVATE"), "", ""},
		"a private key of OpenSSH":     {strings.ReplaceAll(k.private, "PRIVATE", "OPENSSH PRIVATE"), "", ""},
		"a key of PGP":                 {"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQENBF\n=abcd\n-----END PGP PUBLIC KEY BLOCK-----\n", "", ""},
		"a PUBLIC KEY of nothing":      {"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n", "", ""},
		"a PUBLIC KEY of noise":        {"-----BEGIN PUBLIC KEY-----\n" + base64.StdEncoding.EncodeToString([]byte("not a key")) + "\n-----END PUBLIC KEY-----\n", "", ""},
		"an RSA key said to be SPKI":   {strings.ReplaceAll(k.rsaOld, "RSA PUBLIC", "PUBLIC"), "", ""},
		"SPKI said to be RSA's":        {strings.ReplaceAll(k.rsa, "PUBLIC", "RSA PUBLIC"), "", ""},
		"a key cut in the middle":      {k.rsa[:len(k.rsa)/2], "", ""},
		"a key of X25519":              {x25519PEM(k.der), "", ""},
		"JSON of a service account":    {`{"type":"service_account","private_key":"-----BEGIN PRIVATE KEY-----\nMII\n-----END PRIVATE KEY-----\n"}`, "", ""},
		"zeros":                        {strings.Repeat("\x00", 64), "", ""},
		"31 bytes":                     {strings.Repeat("s", 31), "", ""},
		"blanks":                       {strings.Repeat(" ", 64), "", ""},
	}
}

// x25519PEM is a key for agreements, which verifies nothing, of one of Ed25519.
func x25519PEM(ed []byte) string {
	der := bytes.Replace(ed, []byte("\x06\x03\x2b\x65\x70"), []byte("\x06\x03\x2b\x65\x6e"), 1)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// A public key that is not one in PEM is never taken as something else, least of
// all as a secret: everybody knows it.
func TestKeysOfTokens(t *testing.T) {
	k := makeKeys(t)
	lines := strings.Split(strings.TrimSpace(k.ed), "\n")
	secret, spki := strings.Repeat("s3cret+/", 8), base64.StdEncoding.EncodeToString(k.der)
	for name, c := range keyFileCases(k) {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		auth, err := (&authFlags{AuthKey: []string{path}}).auth()
		if c.public == "" && err == nil || c.public != "" && (err != nil || auth.Algorithms[0] != c.public) {
			t.Errorf("--auth-key, %s: %+v, %v", name, auth, err)
		}
		for _, content := range []string{lines[1][:8], spki[:8], secret[:8]} {
			if err != nil && strings.Contains(err.Error(), content) {
				t.Errorf("--auth-key, %s: the error quotes the file: %v", name, err)
			}
		}
		auth, err = (&authFlags{AuthSecret: path}).auth()
		if c.secret == "" && err == nil || c.secret != "" && (err != nil || auth.Algorithms[0] != "HS256" || string(auth.Keys[0].Material.([]byte)) != c.secret) {
			t.Errorf("--auth-secret, %s: %+v, %v", name, auth, err)
		}
	}
	for _, flags := range []authFlags{{AuthKey: []string{"/nowhere"}}, {AuthSecret: "/nowhere"}, {AuthAudience: "parley"}, {AuthAlgorithms: []string{"RS256"}}} {
		if auth, err := flags.auth(); err == nil {
			t.Errorf("%+v gives %+v", flags, auth)
		}
	}
}

// An algorithm that a key cannot verify is refused: its tokens never could be
// accepted.
func TestAlgorithmsFitTheKey(t *testing.T) {
	k := makeKeys(t)
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ed, ec, rs := write("ed", k.ed), write("ec", k.ec384), write("rsa", k.rsa)
	short, long := write("short", strings.Repeat("s", 32)), write("long", strings.Repeat("s", 64))
	for _, c := range []struct {
		key, secret string
		algorithms  string
		ok          bool
	}{
		{ed + "," + rs, "", "EdDSA,RS256", true}, {"a=" + ed + ",b=" + ec, "", "EdDSA,ES384", true}, {ed + "," + rs, "", "EdDSA", false},
		{"a=" + ed + ",a=" + ec, "", "EdDSA,ES384", false}, {"a=" + ed + "," + ec, "", "EdDSA,HS256", false},
		{ed, "", "EdDSA", true}, {ec, "", "ES384", true}, {rs, "", "RS256,PS512", true}, {"", short, "HS256", true}, {"", long, "HS256,HS512", true},
		{ed, "", "HS256", false}, {rs, "", "HS256", false}, {rs, "", "RS256,none", false}, {ec, "", "ES256", false}, {ed, "", "eddsa", false},
		{"", short, "HS512", false}, {"", long, "RS256", false}, {"", long, "none", false}, {ed, "", "", false}, {ed, short, "EdDSA", false},
	} {
		flags := authFlags{AuthSecret: c.secret, AuthAlgorithms: strings.Split(c.algorithms, ",")}
		if c.key != "" {
			flags.AuthKey = strings.Split(c.key, ",")
		}
		auth, err := flags.auth()
		if (err == nil) != c.ok || c.ok && !slices.Equal(auth.Algorithms, strings.Split(c.algorithms, ",")) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A key's kid is before its file; a = in the file's own path is none.
func TestKidsOfKeys(t *testing.T) {
	for given, want := range map[string][2]string{
		"key.pem": {"", "key.pem"}, "2026=key.pem": {"2026", "key.pem"}, "a=b=c": {"a", "b=c"}, "./a=b": {"", "./a=b"}, "/k/a=b": {"", "/k/a=b"}, "=x": {"", "x"},
	} {
		if id, path := splitKey(given); id != want[0] || path != want[1] {
			t.Errorf("%s: the kid %q of %q", given, id, path)
		}
	}
}
