package cli

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKeysOfTokens(t *testing.T) {
	edPublic, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public := func(key any) string {
		der, err := x509.MarshalPKIXPublicKey(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	}
	for name, c := range map[string]struct{ text, algorithm, fails string }{
		"Ed25519":       {public(edPublic), "EdDSA", ""},
		"ECDSA":         {public(&ec.PublicKey), "ES256", ""},
		"a secret":      {strings.Repeat("s", 32) + "\n", "HS256", ""},
		"a short one":   {"secret", "", "too short"},
		"a certificate": {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), "", "no public key"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		auth, err := (&clientFlags{AuthKey: path}).auth()
		switch {
		case c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)):
			t.Errorf("%s: %v, want an error that says %q", name, err, c.fails)
		case c.fails == "" && (err != nil || auth.Algorithms[0] != c.algorithm):
			t.Errorf("%s: %+v, %v", name, auth, err)
		}
	}
	if _, err := (&clientFlags{AuthKey: "/nowhere"}).auth(); err == nil {
		t.Error("a key that is not there")
	}
}
