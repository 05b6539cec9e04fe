package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A file that holds no key, or a key where a secret belongs, ends the start with one
// sentence that names the flag and says what to give.
func TestBadKeyFiles(t *testing.T) {
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
				var out, errs bytes.Buffer
				code := Run([]string{"check", "connector", flag, path}, &out, &errs)
				said := out.String() + errs.String()
				if code == 0 || !strings.Contains(said, flag+" "+path+": ") || strings.Count(said, "\n") != 1 || len(said) > 400 {
					t.Errorf("exit code %d: %s", code, said)
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
