package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema/rpc"
)

// What operators do from the shell is done, and told in words or as JSON, with the key
// that `parley up` made itself.
func TestAdmin(t *testing.T) {
	embeddedtest.NeedEngine(t)
	data := t.TempDir()
	begin(t, "up", "--listen", "127.0.0.1:0", "--data", data).find(`Parley is ready`)
	admin := func(want string, args ...string) string {
		t.Helper()
		code, out, errs := runs(append(append([]string{"admin"}, args...), "--data", data)...)
		if code != 0 || !regexp.MustCompile(want).MatchString(out) {
			t.Fatalf("parley admin %v ends with %d, and says %s%s, want %s", args, code, out, errs, want)
		}
		return out
	}
	admin(`^Published in orders/17 at seq \d+, with the id o-1\.\n$`, "publish", "orders/17", "ada", "On its \x1bway", "--id", "o-1", "--type", "order", "--content", `{"n": 1}`, "--mentions", "bob,eve")
	again := admin(`"id": "o-1"`, "publish", "orders/17", "ada", "again", "--id", "o-1", "--json")
	var sent rpc.PublishResult
	if err := json.Unmarshal([]byte(again), &sent); err != nil {
		t.Fatal(err)
	}
	admin(`with the id 01\w{24}\.\n$`, "publish", "orders/17", "ada", "psst", "--to", "bob", "--reply", "1")
	admin(`(?s)^[-0-9]{10} [0-9:.]{12}  \d+  ada: On its ·way\n.* ada → bob: psst\n$`, "history", "orders/17")
	admin(`^[^\n]*On its ·way\n$`, "history", "orders/17", "--as", "eve")
	admin(`^\(older ones: --before \d+\)\n[^\n]*psst\n$`, "history", "orders/17", "--limit", "1", "--as", "bob")
	found := func() bool {
		code, out, _ := runs("admin", "search", "orders/17", "PSST", "--as", "bob", "--data", data)
		return code == 0 && strings.HasSuffix(out, " ada → bob: psst\n")
	}
	await.That(t, "the projector has stored it", found)
	admin(`^No messages\.\n$`, "search", "orders/17", "psst", "--as", "eve")
	admin(`"highlight": \[`, "search", "orders/17", "way its", "--json")
	page := admin(`"origin": "backend"`, "history", "orders/17", "--json")
	var messages rpc.HistoryResult
	if err := json.Unmarshal([]byte(page), &messages); err != nil || len(messages.Messages) != 2 || messages.Messages[0].Seq != sent.Seq || messages.Messages[0].Key != "local" {
		t.Errorf("the page is %s", page)
	}

	admin(`^"eve" is muted in orders/17, for 1h0m0s \(seq \d+\)\.\n$`, "mute", "orders/17", "eve", "--for", "1h", "--reason", "spam")
	admin(`^"eve" is banned from orders/17, until it is lifted, and what they said is deleted`, "ban", "orders/17", "eve", "--purge")
	admin(`(?s)^USER +ACTION +UNTIL +BY +REASON\neve +mute +20\S+Z +key local +spam\neve +ban +it is lifted +key local`, "sanctions", "orders/17")
	admin(`^"eve" is not muted in orders/17 any more`, "lift", "orders/17", "eve", "--action", "mute")
	admin(`^"eve" is neither muted nor banned`, "lift", "orders/17", "eve")
	admin(`^"eve" is put out of orders/17`, "kick", "orders/17", "eve")
	admin(`^What "ada" said in orders/17 is deleted`, "purge", "orders/17", "ada", "--reason", "over")
	admin(`^That is set in orders/17 \(seq \d+\)\.\n$`, "set", "orders/17", "--slow", "10s", "--freeze", "--topic=Orders", "--content", "[1]")
	admin(`^That is set`, "set", "orders/17", "--slow", "0s", "--thaw", "--topic=", "--content", "null")
	admin(`^USER +INFO\n0 of 0\n$`, "members", "orders/17")
	admin(`^CHANNEL +USERS +NEWEST SEQ\n$`, "channels", "--prefix", "orders")
	admin(`^The sessions of "eve" end`, "disconnect", "eve")
	admin(`^Tokens of "eve" that were issued before 20\S+Z are revoked`, "revoke", "eve")
	admin(`^The token is revoked`, "revoke", "--token", "t1", "--until", "2099-01-01T00:00:00Z")
	admin(`^"eve" is barred until the bar is lifted`, "bar", "eve", "--reason", "fraud")
	admin(`^"bob" may join in a-\* b-\* from now on`, "grant", "bob", "--channels", "a-*", "--channels", "b-*", "--allow", "join")
	admin(`(?s)^Epoch \w+, format 2, \d+ partitions; 0 sessions.*CONNECTOR .*serves\n\nGROUP `, "info")

	code, out, errs := runs("rules", "--data", data)
	if code != 0 || !regexp.MustCompile(`(?s)barred +eve +for ever +local +\S+ +fraud`).MatchString(out) || !strings.Contains(out, "revoked-token") || !strings.Contains(out, "join in a-* b-*") {
		t.Errorf("the rules are %s%s", out, errs)
	}
	admin(`^"eve" is not barred any more`, "bar", "eve", "--lift")
	admin(`^What was granted to "bob" is taken away`, "grant", "bob", "--none")
	refusals(t, data)
}

// refusals are of an API that does not know the key, or where it does not allow it.
func refusals(t *testing.T, data string) {
	t.Helper()
	at, err := stack.ReadAddresses(data)
	if err != nil {
		t.Fatal(err)
	}
	if s, err := os.Stat(at.APIKeyFile); err != nil || s.Mode().Perm() != 0o600 {
		t.Errorf("the key is in a file of mode %v, %v", s.Mode(), err)
	}
	wrong := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(wrong, []byte("parley_"+planted+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"refuses the key", []string{"info", "--api", at.API, "--api-key-file", wrong}},
		{"too large", []string{"publish", "a", "b", strings.Repeat("x", 5000), "--data", data}},
		{"limit is out of range", []string{"members", "a", "--data", data, "--limit", "1001"}},
		{"does not answer", []string{"info", "--api", "127.0.0.1:1", "--api-key-file", wrong, "--wait", "100ms"}},
		{"not the API", []string{"info", "--api", at.Chat, "--api-key-file", wrong}},
		{"no parley runs", []string{"info", "--data", t.TempDir()}},
	} {
		code, out, errs := runs(append([]string{"admin"}, c.args...)...)
		if code != 1 || out != "" || !strings.Contains(errs, c.want) || strings.Contains(errs, planted) || strings.Count(strings.TrimSpace(errs), "\n") > 0 {
			t.Errorf("parley admin %v ends with %d, and says %s%s, want %q", c.args, code, out, errs, c.want)
		}
	}
}

// planted is a key that no error quotes.
const planted = "hunter2secret"

// What cannot be asked is said before anything is sent.
func TestAdminIsCheckedFirst(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("k"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"say which API to ask", []string{"info"}},
		{"takes a key", []string{"info", "--api", "127.0.0.1:1"}},
		{"keep one", []string{"info", "--api", "127.0.0.1:1", "--api-key", "k", "--api-key-file", key}},
		{"--api-ca", []string{"info", "--api", "https://127.0.0.1:1", "--api-key-file", key, "--api-ca", key}},
		{"--api-key-file", []string{"info", "--api", "127.0.0.1:1", "--api-key-file", key + ".none"}},
		{"a URL such as", []string{"info", "--api", "ftp://a", "--api-key-file", key}},
		{"a URL such as", []string{"info", "--api", "http://a/v1", "--api-key-file", key}},
		{"a URL such as", []string{"info", "--api", "http://ada:b@a", "--api-key-file", key}},
		{"say what to set", []string{"set", "a"}},
		{"whole seconds", []string{"set", "a", "--slow", "1500ms"}},
		{"above 0", []string{"mute", "a", "b", "--for", "0s"}},
		{"it takes JSON", []string{"set", "a", "--content", "x"}},
		{"one of mute, ban", []string{"lift", "a", "b", "--action", "kick"}},
		{"name a user", []string{"revoke"}},
		{"say what to grant", []string{"grant", "a"}},
		{"--freeze and --thaw", []string{"set", "a", "--freeze", "--thaw"}},
	} {
		code, out, errs := runs(append([]string{"admin"}, c.args...)...)
		if code == 0 || out != "" || !strings.Contains(errs, c.want) {
			t.Errorf("parley admin %v ends with %d, and says %s%s, want %q", c.args, code, out, errs, c.want)
		}
	}
}
