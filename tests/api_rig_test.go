package tests

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/connector/api"
	"github.com/parley-chat/parley/schema/rpc"
)

// backend asks the API with one key.
type backend struct {
	t        *testing.T
	url, key string
}

// keysFile is a file of keys, and the text of each.
func keysFile(t *testing.T, grants map[string]string) (path string, texts map[string]string) {
	t.Helper()
	var lines strings.Builder
	texts = map[string]string{}
	for name, granted := range grants {
		text, sum := api.NewKey()
		texts[name] = text
		fmt.Fprintf(&lines, "%s %s %s\n", name, sum, granted)
	}
	path = filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, texts
}

// allActions is what a key may be granted.
const allActions = `[{"channels": ["*"], "allow": ["api", "moderate", "audit", "admin"]}]`

// backends starts a connector with an API, and returns one backend for each key.
func (c *cluster) backends(grants map[string]string, change func(*connector.Config)) (*role, map[string]*backend) {
	c.t.Helper()
	path, texts := keysFile(c.t, grants)
	keys, err := api.OpenKeys(path, c.logger)
	if err != nil {
		c.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.t.Fatal(err)
	}
	r := c.connector(func(cfg *connector.Config) {
		cfg.API = connector.APIConfig{Listener: listener, Keys: keys}
		if change != nil {
			change(cfg)
		}
	})
	all := map[string]*backend{}
	for name, text := range texts {
		all[name] = &backend{c.t, "http://" + listener.Addr().String(), text}
	}
	return r, all
}

// backend starts a connector for one key that may do allActions.
func (c *cluster) backend() (*role, *backend) {
	c.t.Helper()
	r, all := c.backends(map[string]string{"shop": allActions}, nil)
	return r, all["shop"]
}

// send sends a request, and returns the status and the body of the answer.
func (b *backend) send(method, path, body string, header ...string) (int, string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(soon(b.t), method, b.url+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if b.key != "" {
		r.Header.Set("Authorization", "Bearer "+b.key)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, string(text)
}

// response is the answer to one request.
type response struct {
	ID     int             `json:"id"`
	Result json.RawMessage `json:"result"`
	Error  *rpc.Error      `json:"error"`
}

func requestText(id int, method string, params any) string {
	text, err := json.Marshal(params)
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":%q,"params":%s}`, id, method, text)
}

// ask asks for one method.
func (b *backend) ask(method string, params any) response {
	b.t.Helper()
	status, body := b.send(http.MethodPost, "/v1/rpc", requestText(1, method, params))
	var r response
	if err := json.Unmarshal([]byte(body), &r); err != nil || status != http.StatusOK {
		b.t.Fatalf("%s is answered %d %s", method, status, body)
	}
	return r
}

func (b *backend) call(method string, params, result any) {
	b.t.Helper()
	var r response
	err := untilRead(soon(b.t), func(context.Context) error {
		if r = b.ask(method, params); r.Error != nil {
			return r.Error
		}
		return nil
	})
	if err != nil {
		b.t.Fatalf("%s %+v: %v", method, params, err)
	}
	if result != nil {
		if err := json.Unmarshal(r.Result, result); err != nil {
			b.t.Fatalf("%s: %s: %v", method, r.Result, err)
		}
	}
}

func (b *backend) refused(code int, method string, params any) *rpc.Error {
	b.t.Helper()
	r := b.ask(method, params)
	if r.Error == nil || r.Error.Code != code {
		b.t.Fatalf("%s %+v is answered %s, %v, want error %d", method, params, r.Result, r.Error, code)
	}
	return r.Error
}

// batch sends requests together, and returns the answers by their ids.
func (b *backend) batch(requests ...string) map[int]response {
	b.t.Helper()
	status, body := b.send(http.MethodPost, "/v1/rpc", "["+strings.Join(requests, ",")+"]")
	var all []response
	if err := json.Unmarshal([]byte(body), &all); err != nil || status != http.StatusOK {
		b.t.Fatalf("a batch is answered %d %s", status, body)
	}
	of := map[int]response{}
	for _, r := range all {
		of[r.ID] = r
	}
	return of
}
