package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that holds no key, or a key where a secret belongs, ends the start with one
// sentence that names the flag and says what to give.
func TestBadKeyFiles(t *testing.T) {
	checks := newChecker(t)
	for name, c := range keyFileCases(makeKeys(t)) {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for flag, taken := range map[string]bool{"--auth-key": c.public != "", "--auth-secret": c.secret != ""} {
			if taken {
				continue
			}
			t.Run(name+" for "+flag, func(t *testing.T) {
				said := checks.says("connector", flag, path)
				if !strings.HasPrefix(said, flag+" "+path+": ") || strings.Contains(said, "\n") || len(said) > 400 {
					t.Errorf("check says %q", said)
				}
				for _, advice := range []string{"give", "goes to", "it takes", "save it", "keep one", "it is PEM, but not"} {
					if strings.Contains(said, advice) {
						return
					}
				}
				t.Errorf("it does not say what to do: %s", said)
			})
		}
	}
}
