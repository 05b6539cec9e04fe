package connector

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/schema/rpc"
)

// apiRig is a connector with an API on a real port, for what needs no log.
type apiRig struct {
	*edgeRig
	keys *api.KeysFile
	path string
	url  string
	key  string // may use the channels shop-*, and do nothing else
}

const (
	userAudience = "chat"
	apiAudience  = "backends"
)

func newAPIRig(t *testing.T, changes ...func(*Config)) *apiRig {
	t.Helper()
	key, sum := api.NewKey()
	r := &apiRig{path: filepath.Join(t.TempDir(), "keys"), key: key}
	r.write(t, "# of a shop\n\nshop "+sum+` [{"channels": ["shop-*"], "allow": ["api"]}]`)
	var err error
	if r.keys, err = api.OpenKeys(r.path, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.url = "http://" + l.Addr().String()
	r.edgeRig = newEdgeRig(t, append([]func(*Config){withAuth, func(cfg *Config) {
		cfg.Auth.Audience = userAudience
		cfg.Logger = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
		cfg.API = APIConfig{Listener: l, Keys: r.keys, Audience: apiAudience}
	}}, changes...)...)
	served := make(chan error, 1)
	go func() { served <- r.c.api.Serve(l) }()
	t.Cleanup(func() {
		_ = r.c.api.Close()
		<-served
	})
	return r
}

func (r *apiRig) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(r.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// apiToken is a token of a backend that may use the channels token-*.
func apiToken(t *testing.T, more jwt.MapClaims) string {
	t.Helper()
	claims := jwt.MapClaims{"aud": apiAudience, "parley": map[string]any{
		"grants": []any{map[string]any{"channels": []string{"token-*"}, "allow": []string{"api"}}},
	}}
	for name, v := range more {
		claims[name] = v
	}
	return rigToken(t, "backend", claims)
}

// send sends a request with those headers, and returns the answer's status and body.
func (r *apiRig) send(t *testing.T, method, path string, body io.Reader, header http.Header) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.url+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func withKey(key string) http.Header {
	return http.Header{"Authorization": {"Bearer " + key}, "Content-Type": {"application/json"}}
}

// rpc sends a body to the methods, and returns what it is answered with.
func (r *apiRig) rpc(t *testing.T, body string) (status int, a answered, text string) {
	t.Helper()
	status, text = r.send(t, http.MethodPost, "/v1/rpc", strings.NewReader(body), withKey(r.key))
	if status == http.StatusOK && !strings.HasPrefix(text, "[") {
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			t.Fatalf("%.200s is answered %.300s: %v", body, text, err)
		}
	}
	return status, a, text
}

// unharmed sees that the API serves.
func (r *apiRig) unharmed(t *testing.T) {
	t.Helper()
	if _, a, text := r.rpc(t, requestFor("publish", `{"channel":"else","user":"ada","body":"x"}`)); a.Error == nil || a.Error.Code != rpc.CodeForbidden {
		t.Errorf("the next request is answered %s", text)
	}
}

// Who does not say who they are, or says it wrongly, is told so and nothing else.
func TestBadKeys(t *testing.T) {
	r := newAPIRig(t)
	other, _ := api.NewKey()
	for name, header := range map[string]http.Header{
		"none": {}, "an empty one": {"Authorization": {"Bearer "}}, "no scheme": {"Authorization": {r.key}}, "another scheme": {"Authorization": {"Basic " + r.key}},
		"another key": withKey(other), "half a key": withKey(r.key[:20]), "a key and more": withKey(r.key + "x"), "its sum": withKey(api.Sum(r.key)),
		"two":                    {"Authorization": {"Bearer " + r.key, "Bearer " + r.key}},
		"in the address":         {"X-Api-Key": {r.key}},
		"a client's token":       withKey(rigToken(t, "ada", jwt.MapClaims{"aud": userAudience})),
		"a token for nobody":     withKey(rigToken(t, "ada", nil)),
		"an expired token":       withKey(apiToken(t, jwt.MapClaims{"exp": 1})),
		"a token called cli":     withKey(apiToken(t, jwt.MapClaims{"sub": "cli"})),
		"a token called local":   withKey(apiToken(t, jwt.MapClaims{"sub": "local"})),
		"a token of a long name": withKey(apiToken(t, jwt.MapClaims{"sub": strings.Repeat("x", 65)})),
		"a token of no grants":   withKey(apiToken(t, jwt.MapClaims{"parley": map[string]any{"grants": []any{map[string]any{"channels": []string{"*"}}}}})),
		"a token for a channel":  withKey(apiToken(t, jwt.MapClaims{"channel": "a", "allow": []string{"api"}})),
		"a token that is broken": withKey("a.b.c"), "a long one": withKey(strings.Repeat("x", 9000)),
	} {
		t.Run(name, func(t *testing.T) {
			for _, path := range []string{"/v1/rpc", "/v1/openapi.json", "/v1/messages"} {
				method := http.MethodGet
				if path == "/v1/rpc" {
					method = http.MethodPost
				}
				status, text := r.send(t, method, path, nil, header.Clone())
				if status != http.StatusUnauthorized || !strings.Contains(text, `"code":1001`) || strings.Contains(text, r.key) {
					t.Errorf("%s is answered %d %s", path, status, text)
				}
			}
			r.unharmed(t)
		})
	}
	if status, text := r.send(t, http.MethodGet, "/v1/openapi.json", nil, withKey(apiToken(t, nil))); status != http.StatusOK {
		t.Errorf("with a backend's token the document is answered %d %s", status, text)
	}
	// Clients cannot use it.
	if answer := answerTo(t, r.open(), helloWith(apiToken(t, nil))); !strings.Contains(answer, `"code":1001`) {
		t.Errorf("a backend's token in hello is answered %s", answer)
	}
}

// What is not a request, or too many of them, is refused as a whole or each by itself.
func TestBadRequestsOfBackends(t *testing.T) {
	r := newAPIRig(t)
	denied := requestFor("publish", `{"channel":"else","user":"ada","body":"x"}`)
	many := func(n int) string { return "[" + strings.TrimSuffix(strings.Repeat(denied+",", n), ",") + "]" }
	for _, c := range []struct {
		name, body string
		status     int
		want       string
	}{
		{"nothing", "", 200, `"code":-32700`}, {"no JSON", "{", 200, `"code":-32700`}, {"text", "hello", 200, `"code":-32700`},
		{"a batch of none", "[]", 200, `"code":-32600`}, {"a batch of 101", many(101), 200, `"code":-32600`}, {"a batch that has no end", "[" + denied, 200, `"code":-32700`},
		{"a batch and more", many(1) + "x", 200, `"code":-32700`}, {"two requests", denied + denied, 200, `"code":-32700`}, {"a trailing comma", "[" + denied + ",]", 200, `"code":-32700`},
		{"a nested batch", "[" + many(1) + "]", 200, `[{"jsonrpc":"2.0","id":null,"error":{"code":-32600`}, {"numbers", "[1,2]", 200, `{"jsonrpc":"2.0","id":null,"error":{"code":-32600`},
		{"an unknown method", requestFor("dance", "{}"), 200, `"code":-32601`}, {"one of clients", requestFor("join", `{"channel":"shop-1"}`), 200, `"code":-32601`},
		{"hello", requestFor("hello", `{"user":"ada"}`), 200, `"code":-32601`}, {"chat", requestFor("chat", `{"channel":"shop-1","body":"x"}`), 200, `"code":-32601`},
		{"a notification that is wrong", `{"jsonrpc":"2.0","method":"publish"}`, 204, ""}, {"no version", `{"id":1,"method":"publish"}`, 200, `"code":-32600`},
		{"a MiB and a byte", strings.Repeat(" ", api.MaxRequest+1-len(denied)) + denied, 413, `"code":1006`},
		{"a byte order mark", "\ufeff" + denied, 200, `"code":-32700`}, {"a name twice", `{"jsonrpc":"2.0","id":1,"id":2,"method":"publish"}`, 200, `"code":-32600`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if status, _, text := r.rpc(t, c.body); status != c.status || !strings.Contains(text, c.want) {
				t.Errorf("is answered %d %.300s, want %d with %s", status, text, c.status, c.want)
			}
			r.unharmed(t)
		})
	}
	if status, _, text := r.rpc(t, many(100)); status != 200 || strings.Count(text, `"code":1002`) != 100 {
		t.Errorf("a batch of 100 is answered %d %.300s", status, text)
	}
	if status, _, text := r.rpc(t, strings.Repeat(" ", api.MaxRequest-len(denied))+denied); status != 200 || !strings.Contains(text, `"code":1002`) {
		t.Errorf("a MiB is answered %d %.300s", status, text)
	}
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "application/json-seq", "multipart/form-data; boundary=x", "application/json, text/plain"} {
		header := withKey(r.key)
		if header["Content-Type"] = []string{kind}; kind == "" {
			header.Del("Content-Type")
		}
		if status, text := r.send(t, http.MethodPost, "/v1/rpc", strings.NewReader(denied), header); status != http.StatusUnsupportedMediaType {
			t.Errorf("content of the type %q is answered %d %s", kind, status, text)
		}
	}
	packed := withKey(r.key)
	packed.Set("Content-Encoding", "gzip")
	if status, text := r.send(t, http.MethodPost, "/v1/rpc", strings.NewReader(denied), packed); status != http.StatusUnsupportedMediaType {
		t.Errorf("packed content is answered %d %s", status, text)
	}
	// A body whose length is not said is bounded all the same.
	endless := io.LimitReader(repeating("x"), 2*api.MaxRequest)
	if status, text := r.send(t, http.MethodPost, "/v1/rpc", endless, withKey(r.key)); status != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MiB in pieces are answered %d %s", status, text)
	}
	r.unharmed(t)
}

// repeating is text without end.
type repeating string

func (s repeating) Read(b []byte) (int, error) {
	return copy(b, bytes.Repeat([]byte(s), len(b)/len(s)+1)), nil
}

// apiRequests are methods with the fields that they have beyond those of clients.
func apiRequests() map[string]struct {
	fields []field
	right  map[string]string
} {
	all := map[string]struct {
		fields []field
		right  map[string]string
	}{}
	more := map[string][]field{
		rpc.MethodEdit: {{"user", "string", true}}, rpc.MethodDelete: {{"user", "string", true}}, rpc.MethodReact: {{"user", "string", true}},
		rpc.MethodPin: nil, rpc.MethodMute: nil, rpc.MethodBan: nil, rpc.MethodKick: nil, rpc.MethodLift: nil, rpc.MethodPurge: nil, rpc.MethodSet: nil,
		rpc.MethodHistory: {{"as", "string", false}, {"min", "number", false}}, rpc.MethodReactions: {{"as", "string", false}, {"min", "number", false}},
		rpc.MethodSearch:    {{"as", "string", false}},
		rpc.MethodSanctions: {{"min", "number", false}}, rpc.MethodMembers: nil,
	}
	for method, fields := range more {
		of := requests[method]
		of.fields = append(append([]field{}, of.fields...), fields...)
		right := map[string]string{}
		for name, value := range of.right {
			right[name] = value
		}
		if len(fields) > 0 && fields[0].name == "user" {
			right["user"] = `"ada"`
		}
		if method == rpc.MethodSearch {
			right["channel"] = `"a"`
		}
		of.right = right
		all[method] = of
	}
	chat := requests[rpc.MethodChat]
	chat.fields = append(append([]field{}, chat.fields...), field{"user", "string", true}, field{"info", "any", false})
	chat.right = map[string]string{"channel": `"a"`, "body": `"x"`, "user": `"ada"`}
	all[rpc.MethodPublish] = chat
	broadcast := chat
	broadcast.fields = []field{{"channels", "list", true}, {"body", "string", true}, {"user", "string", true}, {"to", "string", false}, {"id", "string", false}, {"retry", "flag", false}, {"mentions", "list", false}}
	broadcast.right = map[string]string{"channels": `["a"]`, "body": `"x"`, "user": `"ada"`}
	all[rpc.MethodBroadcast] = broadcast
	add := func(method string, right map[string]string, fields ...field) {
		of := all[method]
		of.fields, of.right = fields, right
		all[method] = of
	}
	user := map[string]string{"user": `"ada"`}
	add(rpc.MethodChannels, map[string]string{}, field{"prefix", "string", false}, field{"after", "string", false}, field{"limit", "number", false})
	add(rpc.MethodDisconnect, user, field{"user", "string", true}, field{"session", "string", false}, field{"reconnect", "flag", false}, field{"reason", "string", false})
	add(rpc.MethodRevoke, user, field{"user", "string", true}, field{"before", "number", false}, field{"reason", "string", false})
	add(rpc.MethodBar, user, field{"user", "string", true}, field{"until", "number", false}, field{"reason", "string", false})
	add(rpc.MethodGrant, map[string]string{"user": `"ada"`, "grants": "[]"}, field{"user", "string", true}, field{"grants", "list", true})
	return all
}

// Params that are wrong are named, of every method and before anything else.
func TestBadParamsOfBackends(t *testing.T) {
	r := newAPIRig(t)
	refused := func(name, method, params, field string) {
		t.Run(name, func(t *testing.T) {
			_, a, text := r.rpc(t, requestFor(method, params))
			if a.Error == nil || a.Error.Code != rpc.CodeInvalidParams || a.Error.Data == nil || a.Error.Data.Field != field {
				t.Errorf("%s of %.200s is answered %.300s, want %d for %s", method, params, text, rpc.CodeInvalidParams, field)
			}
		})
	}
	for method, of := range apiRequests() {
		if _, a, text := r.rpc(t, requestFor(method, paramsOf(of.right, nil, ""))); a.Error == nil && method != rpc.MethodBroadcast || a.Error != nil && a.Error.Code != rpc.CodeForbidden {
			t.Errorf("%s with right params is answered %s, and the key does not grant it", method, text)
		}
		for _, f := range of.fields {
			at := method + " with " + f.name + " that is "
			for name, value := range wrongFor[f.kind] {
				refused(at+name, method, paramsOf(of.right, map[string]string{f.name: value}, ""), f.name)
			}
			if f.required {
				refused(at+"missing", method, paramsOf(of.right, map[string]string{f.name: ""}, ""), f.name)
			}
		}
		refused(method+" with params by position", method, `["a"]`, "params")
	}
	for _, c := range []struct{ name, method, params, field string }{
		{"no channels", "broadcast", `{"channels":[],"user":"ada","body":"x"}`, "channels"},
		{"a channel twice", "broadcast", `{"channels":["a","a"],"user":"ada","body":"x"}`, "channels"},
		{"1,001 channels", "broadcast", fmt.Sprintf(`{"channels":[%s],"user":"ada","body":"x"}`, manyNames(1001)), "channels"},
		{"an empty channel", "broadcast", `{"channels":["a",""],"user":"ada","body":"x"}`, "channels"},
		{"an answer to many", "broadcast", `{"channels":["a"],"user":"ada","body":"x","reply":1}`, "reply"},
		{"info of 513 bytes", "publish", fmt.Sprintf(`{"channel":"a","user":"ada","body":"x","info":%q}`, strings.Repeat("x", 511)), "info"},
		{"a user who passes for another", "publish", `{"channel":"a","user":"ad\u200ba","body":"x"}`, "user"},
		{"a negative min", "history", `{"channel":"a","min":-1}`, "min"}, {"an empty as", "history", `{"channel":"a","as":""}`, "as"},
		{"no channel", "search", `{"query":"x","as":"ada"}`, "channel"},
		{"a user and a token", "revoke", `{"user":"ada","jti":"x"}`, "user"}, {"neither", "revoke", `{}`, "user"},
		{"a token and before", "revoke", `{"jti":"x","before":1}`, "before"}, {"a user and until", "revoke", `{"user":"ada","until":1}`, "until"},
		{"before what is to come", "revoke", `{"user":"ada","before":253402300799999}`, "before"}, {"until what has passed", "revoke", `{"jti":"x","until":1}`, "until"},
		{"until 0", "bar", `{"user":"ada","until":0}`, "until"}, {"until seconds too late", "bar", `{"user":"ada","until":253402300800000}`, "until"},
		{"a long reason", "bar", fmt.Sprintf(`{"user":"ada","reason":%q}`, strings.Repeat("x", 513)), "reason"},
		{"a long session", "disconnect", fmt.Sprintf(`{"user":"ada","session":%q}`, strings.Repeat("x", 65)), "session"},
		{"an action that there is not", "grant", `{"user":"ada","grants":[{"channels":["a"],"allow":["dance"]}]}`, "grants"},
		{"an action of backends", "grant", `{"user":"ada","grants":[{"channels":["a"],"allow":["api"]}]}`, "grants"},
		{"an invalid pattern", "grant", `{"user":"ada","grants":[{"channels":["{a"],"allow":["join"]}]}`, "grants"},
		{"a limit of 0", "channels", `{"limit":0}`, "limit"}, {"after nothing that is a name", "channels", `{"after":"a\u0000"}`, "after"},
	} {
		refused(c.method+" with "+c.name, c.method, c.params, c.field)
	}
	r.unharmed(t)
}

func manyNames(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%q", fmt.Sprint(i)))
	}
	return strings.Join(all, ",")
}
