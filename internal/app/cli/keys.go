package cli

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/quote"
)

const (
	minSecret = 32   // bytes, the least that RFC 7518 allows for HS256
	minRSA    = 2048 // bits, the least that it allows for RSA
)

var (
	utf8BOM = []byte("\xef\xbb\xbf")
	begins  = []byte("-----BEGIN ")
)

// loadPublicKey reads a file with one public key in PEM.
func loadPublicKey(path string) (key any, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", quote.Reason(err))
	}
	text = bytes.TrimPrefix(text, utf8BOM)
	block, rest := pem.Decode(text)
	switch {
	case isWide(text):
		return nil, errors.New("it is UTF-16 text, or zeros: save it as UTF-8")
	case bytes.Contains(text, []byte("PRIVATE KEY")):
		return nil, errors.New("it holds a private key, which signs tokens and belongs to whoever issues them: give its public key")
	case block == nil && looksLikeKey(text):
		return nil, errors.New("it is not a public key in PEM, or a damaged one: it takes the lines from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----")
	case block == nil:
		return nil, errors.New("it is not a public key in PEM: a secret for HS256 goes to --auth-secret")
	case bytes.Count(text, begins) != 1 || len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("it holds more than one public key in PEM: keep one, and give --auth-key for each file")
	}
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("it is PEM, but not a public key: it holds a %s", strings.ToLower(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("it is PEM, but not a readable public key: %w", err)
	}
	if k, ok := key.(*rsa.PublicKey); ok && k.N.BitLen() < minRSA {
		return nil, fmt.Errorf("an RSA key of %d bits is too short: it takes %d or more", k.N.BitLen(), minRSA)
	}
	if len(identity.Key{Material: key}.Fitting()) == 0 {
		return nil, errors.New("it holds a key of another kind: it takes Ed25519, ECDSA (P-256, P-384, P-521) or RSA of 2048 to 16384 bits")
	}
	return key, nil
}

// loadSecret reads a file with a secret that tokens are signed and verified
// with. It refuses what may be a public key: who knows that could sign tokens.
func loadSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", quote.Reason(err))
	}
	secret := bytes.TrimSpace(bytes.TrimPrefix(text, utf8BOM))
	switch {
	case isWide(text):
		return nil, errors.New("it is UTF-16 text, or zeros: save it as UTF-8")
	case looksLikeKey(secret):
		return nil, errors.New("it looks like a key, not like a secret: a public key goes to --auth-key; a secret is random text, as of `openssl rand -base64 48`")
	case isMarkup(secret):
		return nil, errors.New("it looks like a page, as of an address that was not found: it takes random text, as of `openssl rand -base64 48`")
	case len(secret) < minSecret:
		return nil, fmt.Errorf("a secret of %d bytes is too short: it takes %d or more", len(secret), minSecret)
	}
	return secret, nil
}

// isWide reports whether text is UTF-16, what Windows calls Unicode, or UTF-32,
// with a mark before it or without, or nothing but zeros.
func isWide(text []byte) bool { return bytes.Count(text, []byte{0}) > len(text)/3 }

// isMarkup reports HTML and XML, which nobody chooses for a secret.
func isMarkup(text []byte) bool {
	return bytes.HasPrefix(text, []byte("<")) && bytes.HasSuffix(text, []byte(">")) && utf8.Valid(text)
}

var (
	// What the text forms of keys begin with, or hold: PEM, SSH, PuTTY, XML, age,
	// openssl's, JWK, and the exponent that ends nearly every RSA key in base64.
	// None of it is short enough to come up in base64 by chance: a name of a JWK
	// follows none of its characters, and its = is no padding.
	keyText = regexp.MustCompile(`(?i)\bBEGIN\b|-----END|(PUBLIC|PRIVATE)[^a-z0-9]{0,3}KEY|(RSA|DSA|EC)KeyValue|\bModulus\b|X509Cert|` +
		`\bssh-(rsa|ds[as]|ed[0-9]+|xmss)|\b(sk-ssh|ecdsa-sha2|sk-ecdsa-sha2)-[a-z0-9]+|PuTTY-|\bage1[a-z0-9]{50}|` +
		`(^|[^\w+/=-])(kty|jwks?|x5[cu]|x5t)\b\W{0,4}[:=][\s"'\\]*[^\s"'\\=]|\bkeys\b["'\\]{1,2}\s*:|` +
		`(?-i:IDAQAB|[^\w+/\n-]AQAB)\b`)
	blanks    = regexp.MustCompile(`\\[rnt]|\s`)
	betweens  = regexp.MustCompile(`\\x|\b0x|[:,]|\s`) // of bytes in hex
	base64Run = regexp.MustCompile(`[A-Za-z0-9+/]{32,}`)
	hexRun    = regexp.MustCompile(`[0-9A-Fa-f]{64,}`)
	unURL     = strings.NewReplacer("-", "+", "_", "/")
	// Names of kinds of keys as DER and SSH have them: rsaEncryption, RSASSA-PSS,
	// EC, Ed25519, Ed448.
	keyBytes = [][]byte{
		[]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
		[]byte("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"), []byte("\x06\x03\x2b\x65\x70"), []byte("\x06\x03\x2b\x65\x71"),
		[]byte("\x00\x00\x00\x07ssh-"), []byte("\x00\x00\x00\x0bssh-"), []byte("ecdsa-sha2-"), []byte("sk-ssh-"),
	}
	// The exponent 65537, with which an RSA key in DER ends, and what Java's key
	// stores begin with.
	rsaEnd    = []byte("\x02\x03\x01\x00\x01")
	javaStore = []byte("\xfe\xed\xfe\xed")
)

// looksLikeKey reports whether text seems to hold a key of any kind and form,
// whole or damaged, or one that was encoded once more, as variables and secret
// stores need it.
func looksLikeKey(text []byte) bool { return looksLike(text, 2) }

func looksLike(text []byte, encodings int) bool {
	if isWide(text) {
		text = bytes.ReplaceAll(text, []byte{0}, nil)
	}
	if keyText.Match(text) || json.Valid(text) && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) || isKeyBytes(text) {
		return true
	}
	return encodings > 0 && slices.ContainsFunc(decodings(string(text)), func(form []byte) bool { return looksLike(form, encodings-1) })
}

// decodings are what parts of a text decode to from base64 and from hex, whatever
// is around them; of a damaged part, what comes before the damage.
func decodings(text string) (forms [][]byte) {
	for _, words := range []string{blanks.ReplaceAllString(text, " "), blanks.ReplaceAllString(text, "")} {
		for _, run := range base64Run.FindAllString(unURL.Replace(words), -1) {
			form, _ := base64.RawStdEncoding.DecodeString(run)
			forms = append(forms, form)
		}
	}
	for _, run := range hexRun.FindAllString(betweens.ReplaceAllString(text, ""), -1) {
		form, _ := hex.DecodeString(run)
		forms = append(forms, form)
	}
	return forms
}

// isKeyBytes reports whether bytes are what keys, certificates and their stores
// look like.
func isKeyBytes(b []byte) bool {
	return isDER(b) || bytes.HasPrefix(b, javaStore) || bytes.HasSuffix(b, rsaEnd) ||
		slices.ContainsFunc(keyBytes, func(name []byte) bool { return bytes.Contains(b, name) })
}

// isDER reports whether bytes are a sequence in DER, as every key and
// certificate is, or the beginning of a long one.
func isDER(b []byte) bool {
	if bytes.IndexFunc(b, isBinary) < 0 {
		return false // its tag is the digit 0, too
	}
	var whole asn1.RawValue
	if rest, err := asn1.Unmarshal(b, &whole); err == nil && len(bytes.TrimSpace(rest)) == 0 {
		return whole.Class == asn1.ClassUniversal && whole.Tag == asn1.TagSequence
	}
	return len(b) > 4 && b[0] == 0x30 && (b[1] == 0x81 && isTag(b[3]) || b[1] == 0x82 && isTag(b[4]))
}

func isBinary(r rune) bool { return r >= 0x7f || r < ' ' }

// isTag reports an INTEGER or a SEQUENCE, with which these sequences begin.
func isTag(b byte) bool { return b == 0x02 || b == 0x30 }
