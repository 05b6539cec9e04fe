package connector

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/schema/rpc"
)

// raw sends a request whose target is written as it is, and returns the answer.
func (r *apiRig) raw(t *testing.T, method, target, key string) (status int, header http.Header, text string) {
	t.Helper()
	head := method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 0\r\n"
	if key != "" {
		head += "Authorization: Bearer " + key + "\r\n"
	}
	c := plaintest.Send(t, "", strings.TrimPrefix(r.url, "http://"), head+"\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, target, err)
	}
	return res.StatusCode, res.Header, string(body)
}

// Paths that there are not, and those that are written in another way, are answered so;
// who has no key is told that and nothing else, whatever there is.
func TestBadPathsOfBackends(t *testing.T) {
	r := newAPIRig(t)
	for name, c := range map[string]struct {
		method, target string
		status         int
	}{
		"the root": {"GET", "/", 404}, "no version": {"POST", "/rpc", 404}, "another version": {"POST", "/v2/rpc", 404}, "the chat": {"GET", "/ws", 404},
		"metrics": {"GET", "/metrics", 404}, "a slash at the end": {"POST", "/v1/rpc/", 404}, "two slashes": {"POST", "//v1/rpc", 404}, "capitals": {"POST", "/V1/RPC", 404},
		"dots": {"POST", "/v1/messages/../rpc", 404}, "dots before": {"GET", "/../v1/channels", 404}, "a dot": {"POST", "/v1/./rpc", 404}, "encoded dots": {"POST", "/v1/%2e%2e/v1/rpc", 404},
		"an encoded slash": {"POST", "/v1%2frpc", 404}, "an encoded letter": {"POST", "/v1/%72pc", 404}, "a NUL": {"GET", "/v1/messages%00", 404}, "a channel": {"GET", "/v1/messages/shop-1", 404},
		"a method as path": {"POST", "/v1/publish", 404}, "a parameter": {"GET", "/v1/channels;x=1", 404}, "all": {"OPTIONS", "*", 404},
		"GET for methods": {"GET", "/v1/rpc", 405}, "PUT": {"PUT", "/v1/messages", 405}, "DELETE": {"DELETE", "/v1/messages", 405}, "POST to read": {"POST", "/v1/members", 405},
		"HEAD": {"HEAD", "/v1/channels", 405}, "OPTIONS": {"OPTIONS", "/v1/rpc", 405}, "a made-up method": {"DANCE", "/v1/rpc", 405}, "a method in small letters": {"post", "/v1/rpc", 405},
		"POST to the document": {"POST", "/v1/openapi.json", 405}, "a protocol to switch to": {"PRI", "/v1/rpc", 405},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, text := r.raw(t, c.method, c.target, r.key)
			if status != c.status || header.Get("Location") != "" || c.method != "HEAD" && !strings.HasPrefix(text, `{"error":`) {
				t.Errorf("%s %s is answered %d %v %s, want %d", c.method, c.target, status, header, text, c.status)
			}
			if allow := header.Get("Allow"); (allow != "") != (status == 405) {
				t.Errorf("%s %s is answered %d, and allows %q", c.method, c.target, status, allow)
			}
			for _, key := range []string{"", "parley_wrong"} {
				if status, _, text := r.raw(t, c.method, c.target, key); status != http.StatusUnauthorized {
					t.Errorf("%s %s with the key %q is answered %d %s", c.method, c.target, key, status, text)
				}
			}
			r.unharmed(t)
		})
	}
	for _, target := range []string{"http://localhost/v1/openapi.json", "/v1/openapi.json?x=1&x=2"} {
		if status, _, text := r.raw(t, http.MethodGet, target, r.key); status != http.StatusOK {
			t.Errorf("%s is answered %d %s", target, status, text)
		}
	}
}

// oddNames are names of channels that nothing on the way may take for something else.
var oddNames = map[string]string{
	"with a slash": "a/b", "that is a slash": "/", "with slashes around": "//a//", "that is dots": "..", "that goes up": "../../etc", "that goes up within": "x/../shop-1",
	"that is a NUL in text": "%00", "with an encoded slash in text": "a%2Fb", "that is half an encoding": "%", "with a question mark": "a?channel=shop-1", "with an ampersand": "a&channel=shop-1",
	"with a number sign": "a#shop-1", "with a plus": "a+b", "with a blank": "a b", "with a semicolon": "a;b", "with quotes": `a"b'c`, "with a backslash": `a\b`, "with a star": "*", "with braces": "{a}",
	"with another script": "зал/大厅", "with an emoji": "🎉",
}

// A channel's name is one name wherever it is given: with what other programs take for a
// path, a query or a pattern, and refused where nobody gets it.
func TestBadChannelsOfBackends(t *testing.T) {
	r := newAPIRig(t)
	ways := map[string]func(name string) (status int, text string){
		"a request": func(name string) (int, string) {
			_, _, text := r.rpc(t, requestFor("publish", fmt.Sprintf(`{"channel":%s,"user":"ada","body":"x"}`, jsonText(name))))
			var a answered
			_ = json.Unmarshal([]byte(text), &a)
			if a.Error == nil {
				return 0, text
			}
			return api.StatusOf(a.Error), text
		},
		"a body": func(name string) (int, string) {
			body := fmt.Sprintf(`{"channel":%s,"user":"ada","body":"x"}`, jsonText(name))
			return r.send(t, http.MethodPost, "/v1/messages", strings.NewReader(body), withKey(r.key))
		},
	}
	for _, path := range []string{"messages", "members"} {
		ways["the address of "+path] = func(name string) (int, string) {
			query := url.Values{"channel": {name}, "as": {"ada"}}.Encode()
			return r.send(t, http.MethodGet, "/v1/"+path+"?"+query, nil, withKey(r.key))
		}
	}
	for way, send := range ways {
		for what, name := range oddNames {
			t.Run("in "+way+" "+what, func(t *testing.T) {
				status, text := send(name)
				var a answered
				if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusForbidden || a.Error.Data.Channel != name || a.Error.Data.Action != "api" {
					t.Errorf("%q is answered %d %s, want 403 for it", name, status, text)
				}
			})
		}
		for what, name := range badNames {
			if len(name) > 1000 { // beyond what an address may have
				continue
			}
			t.Run("in "+way+" refused "+what, func(t *testing.T) {
				status, text := send(name)
				var a answered
				if err := json.Unmarshal([]byte(text), &a); err != nil || status != http.StatusBadRequest || a.Error.Data == nil || a.Error.Data.Field != "channel" {
					t.Errorf("%q is answered %d %s, want 400 for the channel", name, status, text)
				}
			})
		}
	}
	r.unharmed(t)
}

func jsonText(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// A key does nothing that its grants do not name: no action implies another one, and a
// pattern reaches no further than it says.
func TestBadActionsOfBackends(t *testing.T) {
	r := newAPIRig(t)
	every := []string{"api", "moderate", "audit", "admin"}
	keys := map[string]string{} // by the action that is missing
	var lines strings.Builder
	add := func(name, grants string) (key string) {
		key, sum := api.NewKey()
		fmt.Fprintf(&lines, "%s %s %s\n", name, sum, grants)
		return key
	}
	for _, missing := range every {
		others := slices.DeleteFunc(slices.Clone(every), func(a string) bool { return a == missing })
		keys[missing] = add("no-"+missing, fmt.Sprintf(`[{"channels":["*"],"allow":["%s"]}]`, strings.Join(others, `","`)))
	}
	elsewhere := add("elsewhere", `[{"channels":["b","a/*","*-a"],"allow":["api","moderate","audit","admin"]}]`)
	nothing := add("nothing", `[]`)
	r.write(t, lines.String())
	r.keys.Reload()
	params := apiRequests()
	refused := func(t *testing.T, key, method, params, action string) {
		t.Helper()
		_, text := r.send(t, http.MethodPost, "/v1/rpc", strings.NewReader(requestFor(method, params)), withKey(key))
		if method == rpc.MethodBroadcast {
			if !strings.Contains(text, `"code":1002`) || !strings.Contains(text, `"action":"`+action+`"`) || strings.Contains(text, `"seq"`) {
				t.Errorf("%s is answered %s", method, text)
			}
			return
		}
		var a answered
		if err := json.Unmarshal([]byte(text), &a); err != nil || a.Error == nil || a.Error.Code != rpc.CodeForbidden || a.Error.Data.Action != action {
			t.Errorf("%s %s is answered %s, want %d for %s", method, params, text, rpc.CodeForbidden, action)
		}
	}
	for _, op := range api.Operations {
		of := params[op.Method]
		right := paramsOf(of.right, nil, "")
		action := op.Action
		if slices.Contains([]string{rpc.MethodHistory, rpc.MethodSearch, rpc.MethodReactions}, op.Method) {
			t.Run(op.Method+" as a user without api", func(t *testing.T) {
				refused(t, keys["api"], op.Method, paramsOf(of.right, map[string]string{"as": `"ada"`}, ""), "api")
			})
			action = "audit" // for all that there is
		}
		t.Run(op.Method+" without "+action, func(t *testing.T) { refused(t, keys[action], op.Method, right, action) })
		t.Run(op.Method+" elsewhere", func(t *testing.T) { refused(t, elsewhere, op.Method, right, action) })
		t.Run(op.Method+" without grants", func(t *testing.T) { refused(t, nothing, op.Method, right, action) })
	}
}
