package cli_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// runs runs a command, and returns its exit code and what it says.
func runs(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = cli.Run(args, &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// A key that was made fits the line that was made with it, and a file that has it stays
// one that can be used.
func TestAPIKeyMakesKeys(t *testing.T) {
	code, out, errs := runs("api-key", "shop", "--channels", "shop-*", "--allow", "api,moderate")
	lines := strings.Split(out, "\n")
	if code != 0 || len(lines) < 4 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	key, line := lines[1], lines[3]
	if want := "shop " + api.Sum(key) + ` [{"allow":["api","moderate"],"channels":["shop-*"]}]`; line != want {
		t.Errorf("the line is %s, want %s", line, want)
	}
	file := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(file, []byte("# ours\n"+line), 0o600); err != nil { // without an end of its line
		t.Fatal(err)
	}
	if code, out, errs = runs("api-key", "trust", "--allow", "moderate", "--file", file); code != 0 || strings.Count(out, "\n") != 1 {
		t.Fatalf("exit code %d: %s%s", code, out, errs)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	keys, _, err := api.ParseKeys(text)
	if err != nil || len(keys) != 2 || !strings.Contains(string(text), api.Sum(strings.TrimSpace(out))) || strings.Contains(string(text), strings.TrimSpace(out)) {
		t.Errorf("the file is %s, %v", text, err)
	}
	for _, c := range []struct{ args, want string }{
		{"api-key trust --file " + file, "the same name"}, {"api-key cli", "choose another"}, {"api-key local", "parley up"}, {"api-key a#b", "no blanks"},
		{"api-key a --allow dance", "dance"}, {"api-key a --allow chat", "chat"}, {"api-key a --channels {x", "{user}"},
		{"api-key", "the name of a key"},
	} {
		if code, _, errs := runs(strings.Fields(c.args)...); code == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("parley %s: exit code %d, %s, want one that names %s", c.args, code, errs, c.want)
		}
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(again, text) {
		t.Errorf("what was refused has changed the file: %s, %v", again, err)
	}
}

// parley up has a key of its own, for its owner alone, and another one each time.
func TestUpHasAKeyOfItsOwn(t *testing.T) {
	embeddedtest.NeedEngine(t)
	dir := t.TempDir()
	p := begin(t, "up", "--listen", "127.0.0.1:0", "--data", dir)
	at := p.find(`(?m)^  API +(http://\S+) \(key in `)
	file := filepath.Join(dir, "api.key")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file of the key is %v, %v", info.Mode(), err)
	}
	for key, want := range map[string]int{strings.TrimSpace(string(text)): http.StatusOK, "": http.StatusUnauthorized} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at+"/v1/channels", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = res.Body.Close(); res.StatusCode != want {
			t.Errorf("with the key %q the API answers %d, want %d", key, res.StatusCode, want)
		}
	}
	if strings.Contains(p.said(), strings.TrimSpace(string(text))) {
		t.Errorf("the key is in the log: %s", p.said())
	}
}
