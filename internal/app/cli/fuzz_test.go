package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector/identity"
)

// A file is a public key, or a secret, or is refused in one line: never both.
func FuzzKeyFile(f *testing.F) {
	for _, seed := range []string{
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----\n", "-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n",
		`{"kty":"OKP"}`, "<html>\n</html>", strings.Repeat("s3cret+/", 8), "\xff\xfes\x00", "ssh-ed25519 AAAA", "30820122300d06092a864886f70d01010105000382010f00", strings.Repeat("\x00", 40), "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
	} {
		f.Add([]byte(seed))
	}
	path := filepath.Join(f.TempDir(), "key")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		key, err := loadPublicKey(path)
		secret, wrong := loadSecret(path)
		for _, e := range []error{err, wrong} {
			if e != nil && strings.ContainsAny(e.Error(), "\r\n") {
				t.Errorf("%q: %q", text, e)
			}
		}
		if err == nil && (wrong == nil || len(identity.Key{Material: key}.Fitting()) == 0) {
			t.Errorf("%q is a %T, and as a secret %v", text, key, wrong)
		}
		if wrong == nil && len(secret) < minSecret {
			t.Errorf("%q is a secret of %d bytes", text, len(secret))
		}
	})
}
