package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

const (
	password  = "a password of the demo"
	elsewhere = "https://app.example.com"
)

// keyFile is a key as the README makes it.
func keyFile(t *testing.T, options string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token.key")
	cmd := exec.Command("openssl", append(strings.Fields("genpkey "+options+" -out"), file)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd, err, out)
	}
	return file
}

const p256 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"

// browser is one with cookies, which follows no redirects.
type browser struct {
	t    *testing.T
	at   string
	http *http.Client
}

func open(t *testing.T, o options) *browser {
	t.Helper()
	if o.key == "" {
		o.key = keyFile(t, p256)
	}
	o.password = filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(o.password, []byte(password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	handler, err := o.handler()
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	b := &browser{t: t, at: server.URL, http: server.Client()}
	b.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.http.Jar, _ = cookiejar.New(nil) // has no error without options
	return b
}

// ask sends a request; what is not a form is JSON. Headers are names and values.
func (b *browser) ask(method, path, body string, headers ...string) (*http.Response, string) {
	b.t.Helper()
	req, err := http.NewRequest(method, b.at+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := b.http.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return res, string(text)
}

func (b *browser) want(status int, method, path, body string, headers ...string) string {
	b.t.Helper()
	res, text := b.ask(method, path, body, headers...)
	if res.StatusCode != status {
		b.t.Fatalf("%s %s: status %d, want %d: %s", method, path, res.StatusCode, status, text)
	}
	return text
}

func login(user, password string) string {
	return url.Values{"user": {user}, "password": {password}}.Encode()
}

// claims reads the claims of the token in an answer.
func claims(t *testing.T, answer string) jwt.MapClaims {
	t.Helper()
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(answer), &got); err != nil {
		t.Fatal(err)
	}
	all := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(got.Token, all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFromLoginToTokens(t *testing.T) {
	for _, key := range []string{p256, "-algorithm ED25519"} {
		b := open(t, options{key: keyFile(t, key)})
		if got := b.want(401, "POST", "/auth/token", ""); strings.TrimSpace(got) != `{"login":"/auth/login"}` {
			t.Errorf("without a session: %s", got)
		}
		b.want(401, "POST", "/auth/login", login("ada", "wrong"))
		b.want(401, "POST", "/auth/login", login("eve", password))
		b.want(401, "POST", "/auth/token", "")
		b.want(303, "POST", "/auth/login", login("ada", password))
		all := claims(t, b.want(200, "POST", "/auth/token", ""))
		if all["sub"] != "ada" || all["aud"] != "parley" || all["exp"].(float64)-all["iat"].(float64) != 600 || all["channel"] != nil {
			t.Errorf("the token says %v", all)
		}
		parley, err := json.Marshal(all["parley"])
		if err != nil || strings.Contains(string(parley), "private") || !strings.Contains(string(parley), `"info":{"name":"Ada Lovelace"}`) {
			t.Errorf("the token says %s, %v", parley, err)
		}
		one := claims(t, b.want(200, "POST", "/auth/channel-token", `{"channel":"team-red"}`))
		if one["sub"] != "ada" || one["channel"] != "team-red" || one["parley"] != nil || one["allow"] == nil {
			t.Errorf("the channel token says %v", one)
		}
		b.want(403, "POST", "/auth/channel-token", `{"channel":"team-blue"}`)
		b.want(400, "POST", "/auth/channel-token", `team-red`)
		b.want(400, "POST", "/auth/channel-token", `{"channel":"`+strings.Repeat("x", 5000)+`"}`)
		if page := b.want(200, "GET", "/auth/login", ""); !strings.Contains(page, "Ada Lovelace") {
			t.Errorf("the page does not say who is logged in: %s", page)
		}
		b.want(303, "POST", "/auth/logout", "")
		b.want(401, "POST", "/auth/token", "")
	}
}

// A logout ends the session on the server: a copy of the cookie is worth nothing.
func TestCookie(t *testing.T) {
	b := open(t, options{})
	res, _ := b.ask("POST", "/auth/login", login("ada", password))
	set := res.Header["Set-Cookie"]
	if len(set) != 1 || !strings.Contains(set[0], "; Path=/auth/; Max-Age=43200; HttpOnly; Secure; SameSite=Strict") {
		t.Fatalf("the cookies are %q", set)
	}
	copied, _, _ := strings.Cut(set[0], ";")
	b.want(303, "POST", "/auth/logout", "")
	b.http.Jar, _ = cookiejar.New(nil)
	b.want(401, "POST", "/auth/token", "", "Cookie", copied)
}

// Pages of other sites get nothing; a configured one may fetch tokens.
func TestOtherSites(t *testing.T) {
	b := open(t, options{origins: elsewhere})
	b.want(403, "POST", "/auth/login", login("ada", password), "Origin", "https://evil.example.com")
	b.want(403, "POST", "/auth/login", login("ada", password), "Sec-Fetch-Site", "cross-site")
	b.want(303, "POST", "/auth/login", login("ada", password), "Origin", b.at)
	b.want(403, "POST", "/auth/token", "", "Origin", "https://evil.example.com")
	b.want(403, "POST", "/auth/token", "", "Origin", "null")
	for origin, allowed := range map[string]string{elsewhere: elsewhere, "https://evil.example.com": "", b.at: ""} {
		for _, method := range []string{"OPTIONS", "POST"} {
			res, _ := b.ask(method, "/auth/token", "", "Origin", origin)
			if got := res.Header.Get("Access-Control-Allow-Origin"); got != allowed {
				t.Errorf("%s from %s is allowed to %q", method, origin, got)
			}
		}
	}
	b.want(200, "POST", "/auth/token", "", "Origin", elsewhere)
}

func TestTooMany(t *testing.T) {
	b := open(t, options{})
	last := 0
	for range 7 {
		res, _ := b.ask("POST", "/auth/login", login("ada", "a guess"))
		last = res.StatusCode
	}
	if last != 429 {
		t.Errorf("the seventh guess is answered %d", last)
	}
	b.want(303, "POST", "/auth/login", login("bob", password)) // others may
	for i := 0; ; i++ {
		if res, _ := b.ask("POST", "/auth/token", ""); res.StatusCode == 429 {
			break
		}
		if i == 100 {
			t.Fatal("a hundred tokens at once")
		}
	}
}

// The chat is reached through it, with the page's own host and without what the
// client says of itself or the cookie.
func TestPassesTheRestOn(t *testing.T) {
	chat := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s for=%s proto=%s cookie=%s", r.Host, r.URL, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("Cookie"))
	}))
	defer chat.Close()
	b := open(t, options{chat: chat.URL})
	b.want(303, "POST", "/auth/login", login("ada", password))
	host := strings.TrimPrefix(b.at, "https://")
	if got, want := b.want(200, "GET", "/ws?a=b", "", "X-Forwarded-For", "10.6.6.6"), host+" /ws?a=b for=127.0.0.1 proto=https cookie="; got != want {
		t.Errorf("the chat gets %s, want %s", got, want)
	}
	b.want(404, "GET", "/auth/elsewhere", "")
}

// Neither a password nor a token is logged.
func TestLogsNoSecrets(t *testing.T) {
	var logged strings.Builder
	log.SetOutput(&logged)
	defer log.SetOutput(os.Stderr)
	b := open(t, options{})
	b.want(401, "POST", "/auth/login", login(password, ""))
	b.want(303, "POST", "/auth/login", login("ada", password))
	token := b.want(200, "POST", "/auth/token", "")
	if text := logged.String(); strings.Contains(text, password) || strings.Contains(text, token[10:40]) || !strings.Contains(text, "ada has logged in") {
		t.Errorf("the log is %s", text)
	}
}

func TestRefusesToStart(t *testing.T) {
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := keyFile(t, p256)
	for _, c := range []struct {
		o    options
		want string
	}{
		{options{key: "nowhere"}, "no such file"},
		{options{key: short}, "holds no PRIVATE KEY"},
		{options{key: keyFile(t, "-algorithm RSA -pkeyopt rsa_keygen_bits:2048")}, "neither on P-256 nor"},
		{options{key: keyFile(t, "-algorithm EC -pkeyopt ec_paramgen_curve:P-384")}, "neither on P-256 nor"},
		{options{key: good, password: short}, "shorter than 12 bytes"},
		{options{key: good, chat: "127.0.0.1"}, "not of the form http"},
		{options{key: good, origins: "app.example.com"}, "invalid origin"},
	} {
		if _, err := c.o.handler(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %s", c.o, err, c.want)
		}
	}
}
