package cli

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
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
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	text = bytes.TrimPrefix(text, utf8BOM)
	block, rest := pem.Decode(text)
	switch {
	case isUTF16(text):
		return nil, errors.New("it is UTF-16 text: save it as UTF-8")
	case bytes.Contains(text, []byte("PRIVATE KEY")):
		return nil, errors.New("it holds a private key, which signs tokens and belongs to whoever issues them: give its public key")
	case block == nil && looksLikeKey(text):
		return nil, errors.New("it is not a public key in PEM, or a damaged one: it takes the lines from -----BEGIN PUBLIC KEY----- to -----END PUBLIC KEY-----")
	case block == nil:
		return nil, errors.New("it is not a public key in PEM: a secret for HS256 goes to --auth-secret")
	case bytes.Count(text, begins) != 1 || len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("it holds more than one public key in PEM: keep one")
	}
	switch block.Type {
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	default:
		return nil, fmt.Errorf("it is PEM, but no public key: it holds a %s", strings.ToLower(block.Type))
	}
	if err != nil {
		return nil, fmt.Errorf("it is PEM, but no public key that can be read: %w", err)
	}
	if k, ok := key.(*rsa.PublicKey); ok && k.N.BitLen() < minRSA {
		return nil, fmt.Errorf("an RSA key of %d bits is too short: it takes %d or more", k.N.BitLen(), minRSA)
	}
	return key, nil
}

// loadSecret reads a file with a secret that tokens are signed and verified
// with. It refuses what may be a public key: who knows that could sign tokens.
func loadSecret(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", err)
	}
	secret := bytes.TrimSpace(bytes.TrimPrefix(text, utf8BOM))
	switch {
	case isUTF16(text):
		return nil, errors.New("it is UTF-16 text: save it as UTF-8")
	case looksLikeKey(secret):
		return nil, errors.New("it looks like a key, not like a secret: a public key goes to --auth-key; a secret is random text, as of `openssl rand -base64 48`")
	case len(secret) < minSecret:
		return nil, fmt.Errorf("a secret of %d bytes is too short: it takes %d or more", len(secret), minSecret)
	}
	return secret, nil
}

// isUTF16 reports whether text is what Windows calls Unicode.
func isUTF16(text []byte) bool {
	return (bytes.HasPrefix(text, []byte("\xff\xfe")) || bytes.HasPrefix(text, []byte("\xfe\xff"))) &&
		bytes.Count(text, []byte{0}) > len(text)/3
}

var (
	// What the text forms of keys begin with, or hold: PEM, SSH, PuTTY, XML, JWK.
	keyText  = regexp.MustCompile(`(?i)BEGIN |-----END|(PUBLIC|PRIVATE)[ _-]?KEY|<(RSAKeyValue|Modulus)>|\b(ssh|sk-ssh|ecdsa-sha2|sk-ecdsa-sha2)-[a-z0-9]+|PuTTY-|"(kty|keys|jwks?|x5c)"`)
	noBase64 = regexp.MustCompile(`\\[rn]|\s|=`)
	// Names of kinds of keys as DER and SSH have them: rsaEncryption, RSASSA-PSS,
	// EC, Ed25519, Ed448.
	keyBytes = [][]byte{
		[]byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"), []byte("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a"),
		[]byte("\x06\x07\x2a\x86\x48\xce\x3d\x02\x01"), []byte("\x06\x03\x2b\x65\x70"), []byte("\x06\x03\x2b\x65\x71"),
		[]byte("\x00\x00\x00\x07ssh-"), []byte("\x00\x00\x00\x0bssh-"), []byte("ecdsa-sha2-"), []byte("sk-ssh-"),
	}
)

// looksLikeKey reports whether text seems to hold a key of any kind and form,
// whole or damaged, or one that was encoded once more, as variables and secret
// stores want it.
func looksLikeKey(text []byte) bool { return looksLike(text, 2) }

func looksLike(text []byte, encodings int) bool {
	if keyText.Match(text) || json.Valid(text) && bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return true
	}
	if isKeyBytes(text) {
		return true
	}
	if encodings == 0 {
		return false
	}
	plain := noBase64.ReplaceAll(text, nil)
	for _, decode := range []func(string) ([]byte, error){base64.RawStdEncoding.DecodeString, base64.RawURLEncoding.DecodeString, hex.DecodeString} {
		form, _ := decode(string(plain)) // of a damaged one, what comes before the damage
		if looksLike(form, encodings-1) {
			return true
		}
	}
	return false
}

func isKeyBytes(der []byte) bool {
	if slices.ContainsFunc(keyBytes, func(name []byte) bool { return bytes.Contains(der, name) }) {
		return true
	}
	_, public := x509.ParsePKCS1PublicKey(der)
	_, private := x509.ParsePKCS1PrivateKey(der)
	_, certificate := x509.ParseCertificate(der)
	return public == nil || private == nil || certificate == nil
}
