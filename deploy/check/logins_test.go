package check

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
)

// visitor is a browser with cookies that trusts one certificate.
type visitor struct {
	t    *testing.T
	site string // https://localhost:8080
	tls  *tls.Config
	http *http.Client
}

// startLogins starts everything as deploy/compose.yaml does: keys, token
// endpoint, roles that want tokens, and nginx with HTTPS.
func startLogins(t *testing.T) *visitor {
	t.Helper()
	secrets := chosen["PARLEY_SECRETS"]
	endpoint := filepath.Join(t.TempDir(), "token-endpoint")
	build := exec.Command("go", "build", "-o", endpoint, ".")
	build.Dir = root + "/examples/token-endpoint"
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	tokens := start(t, endpoint, "-listen", "127.0.0.1:0", "-key", secrets+"/token.key", "-password-file", secrets+"/password").find(`listens at (\S+)`)
	_, first, second := startRoles(t, "--auth-key", secrets+"/token.pub", "--auth-audience", "parley")

	run, at := t.TempDir(), freeAddr(t)
	values := map[string]string{
		"PARLEY_LB_RUN": run, "PARLEY_LB_CONNECTOR_1": first, "PARLEY_LB_CONNECTOR_2": second, "PARLEY_LB_TLS_LISTEN": at,
		"PARLEY_LB_CERT": secrets + "/tls.crt", "PARLEY_LB_KEY": secrets + "/tls.key", "PARLEY_LB_TOKEN_ENDPOINT": tokens,
	}
	fillIn(t, httpsTemplate, filepath.Join(run, "https.conf"), values)
	startNginx(t, values, nginxTemplate)
	return visit(t, "https://"+strings.Replace(at, "127.0.0.1", "localhost", 1), secrets+"/tls.crt")
}

func visit(t *testing.T, site, certificate string) *visitor {
	t.Helper()
	text, err := os.ReadFile(certificate)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", certificate)
	}
	v := &visitor{t: t, site: site, tls: &tls.Config{RootCAs: trusted}, http: &http.Client{Timeout: patience}}
	v.http.Transport = &http.Transport{TLSClientConfig: v.tls}
	v.http.Jar, _ = cookiejar.New(nil) // has no error without options
	return v
}

// ask sends a request from the site's own page and returns its answer.
func (v *visitor) ask(method, path, kind, body string) (status int, text string) {
	v.t.Helper()
	req, err := http.NewRequest(method, v.site+path, strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	req.Header.Set("Origin", v.site)
	req.Header.Set("Content-Type", kind)
	res, err := v.http.Do(req)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res.StatusCode, string(all)
}

// login logs in as a demo user; the redirect leads to the page.
func (v *visitor) login(user, password string) {
	v.t.Helper()
	form := url.Values{"user": {user}, "password": {password}}.Encode()
	if status, text := v.ask("POST", "/auth/login", "application/x-www-form-urlencoded", form); status != 200 || !strings.Contains(text, "<div id=") {
		v.t.Fatalf("the login of %s ends with %d: %s", user, status, text)
	}
}

// token fetches one, as the page does.
func (v *visitor) token(path, body string) string {
	v.t.Helper()
	status, text := v.ask("POST", path, "application/json", body)
	var got struct{ Token string }
	if err := json.Unmarshal([]byte(text), &got); err != nil || status != 200 || got.Token == "" {
		v.t.Fatalf("%s %s: %d %s", path, body, status, text)
	}
	return got.Token
}

// hello opens a session with these params.
func (v *visitor) hello(params map[string]any) (*client, error) {
	dialer := websocket.Dialer{HandshakeTimeout: patience, TLSClientConfig: v.tls}
	return dialWith(v.t, dialer, "wss"+strings.TrimPrefix(v.site, "https")+"/ws", params)
}

// refusedWith fails unless an error has a code.
func refusedWith(t *testing.T, what, code string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), " "+code+" ") {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// From nothing to two people who chat: nobody gets in without a token, and a
// token lets in where it says.
func TestLogins(t *testing.T) {
	v := startLogins(t)
	v.chats(strings.TrimSpace(fileText(t, chosen["PARLEY_SECRETS"]+"/password")))
	v.encrypted()
	eventually(t, "nginx refuses more guesses from one address", func() bool {
		status, text := v.ask("POST", "/auth/login", "application/x-www-form-urlencoded", "user=eve&password=guess")
		return status == 429 && strings.Contains(text, "nginx")
	})
	v.token("/auth/token", "") // who is logged in does not notice
}

func fileText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// chats is what people on a site with logins can do, and what not.
func (v *visitor) chats(password string) {
	t := v.t
	t.Helper()
	if status, text := v.ask("GET", "/", "", ""); status != 200 || !strings.Contains(text, "<div id=") {
		t.Errorf("the page is answered %d: %s", status, text)
	}
	if status, text := v.ask("POST", "/auth/token", "", ""); status != 401 || strings.TrimSpace(text) != `{"login":"/auth/login"}` {
		t.Errorf("without a login there is %d %s", status, text)
	}
	_, err := v.hello(map[string]any{"user": "ada"})
	refusedWith(t, "hello without a token", "1001", err)
	_, err = v.hello(map[string]any{"token": "e30.e30.e30"})
	refusedWith(t, "hello with a wrong token", "1001", err)

	v.login("ada", password)
	ada, err := v.hello(map[string]any{"token": v.token("/auth/token", "")})
	if err != nil {
		t.Fatal(err)
	}
	v.login("bob", password)
	bob, err := v.hello(map[string]any{"token": v.token("/auth/token", "")})
	if err != nil {
		t.Fatal(err)
	}
	ada.join("lobby", 0, "")
	bob.join("lobby", 0, "")
	ada.chat("lobby", "hello")
	eventually(t, "bob gets ada's message", func() bool { return len(bob.pushed()) == 1 })
	ada.join("inbox:ada", 0, "")
	for what, params := range map[string]map[string]any{
		"a channel that nobody was granted": {"channel": "kitchen"},
		"somebody else's inbox":             {"channel": "inbox:bob"},
	} {
		refusedWith(t, what, "1002", ada.call("join", params, nil))
	}
	params := map[string]any{"channel": "team-red"}
	refusedWith(t, "a channel of some without a token", "1002", bob.call("join", params, nil))
	params["token"] = v.token("/auth/channel-token", `{"channel":"team-red"}`)
	if err := bob.call("join", params, nil); err != nil {
		t.Errorf("with a channel token: %v", err)
	}
	refusedWith(t, "somebody else's channel token", "1002", ada.call("join", params, nil))
	refusedWith(t, "a message to an inbox that is only read", "1002", ada.call("chat", map[string]any{"channel": "inbox:ada", "body": "x"}, nil))
	refusedWith(t, "a private message", "1002", ada.call("chat", map[string]any{"channel": "lobby", "body": "x", "to": "bob"}, nil))
}

// encrypted looks whether plain HTTP at the port of HTTPS leads to HTTPS.
func (v *visitor) encrypted() {
	t := v.t
	t.Helper()
	at := strings.TrimPrefix(v.site, "https://")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Get("http://" + at + "/a?b=c")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if got := res.Header.Get("Location"); res.StatusCode != 301 || got != v.site+"/a?b=c" {
		t.Errorf("plain HTTP: %d to %q, want 301 to %s", res.StatusCode, got, v.site+"/a?b=c")
	}
}
