package cli_test

import (
	"bytes"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/certtest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// What is wrong with the certificate ends the start, and the check, with the
// same sentence.
func TestCertificateIsChecked(t *testing.T) {
	folder := t.TempDir()
	cert, key := certtest.New(t, 90*24*time.Hour).Write(t, folder)
	_, other := certtest.New(t, 90*24*time.Hour).Write(t, t.TempDir())
	ended, endedKey := certtest.New(t, time.Minute).Write(t, t.TempDir())
	for args, want := range map[string]string{
		"--tls-cert " + cert:                             "--tls-cert takes --tls-key with it",
		"--tls-key " + key:                               "--tls-key takes --tls-cert with it",
		"--tls-cert /nowhere.crt --tls-key " + key:       "the certificate /nowhere.crt cannot be read",
		"--tls-cert " + cert + " --tls-key /nowhere":     "the key /nowhere cannot be read",
		"--tls-cert " + cert + " --tls-key " + other:     "private key does not match public key",
		"--tls-cert " + cert + " --tls-key " + folder:    "it is not a regular file",
		"--tls-cert " + ended + " --tls-key " + endedKey: "expired at",
	} {
		for _, command := range []string{"connector", "up"} {
			say := func(args ...string) string {
				var out, errs bytes.Buffer
				if code := cli.Run(args, &out, &errs); code == 0 || out.Len() > 0 {
					t.Errorf("%v: exit code %d, and says %s", args, code, out.String())
				}
				return errs.String()
			}
			all := append([]string{command, "--listen", "127.0.0.1:0"}, strings.Fields(args)...)
			started, checked := say(all...), say(append([]string{"check"}, all...)...)
			if started != checked || !strings.Contains(checked, want) || strings.Count(checked, "\n") != 1 {
				t.Errorf("%s %s: a start says %q, check says %q; want %q", command, args, started, checked, want)
			}
		}
	}
	from := time.Now().Add(-80 * 24 * time.Hour)
	soon, soonKey := certtest.Make(t, from, from.Add(90*24*time.Hour)).Write(t, t.TempDir())
	var out, errs bytes.Buffer
	code := cli.Run([]string{"check", "up", "--tls-cert", soon, "--tls-key", soonKey}, &out, &errs)
	if said := out.String(); code != 0 || !strings.Contains(said, "are right\nwarning: the certificate for clients expires in 9 days") {
		t.Errorf("of one that expires soon check says %s %s", said, errs.String())
	}
}

// Everything works over TLS, and a certificate that is renewed is shown to who
// comes next, while sessions go on.
func TestUpOverTLS(t *testing.T) {
	embeddedtest.NeedEngine(t)
	folder := t.TempDir()
	first, second := certtest.New(t, 90*24*time.Hour), certtest.New(t, 90*24*time.Hour)
	cert, key := first.Write(t, folder)
	p := begin(t, "up", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "d"), "--tls-cert", cert, "--tls-key", key)
	listen := p.find(`(?m)^  chat +https://(\S+)$`)
	p.find(`parley starts" clients="open to this machine, over TLS"`)
	dial := func(trusted certtest.Certificate) (*websocket.Conn, error) {
		dialer := websocket.Dialer{TLSClientConfig: certtest.Client(trusted), HandshakeTimeout: await.Limit}
		ws, res, err := dialer.Dial("wss://"+listen+"/ws", http.Header{"Origin": {"https://" + listen}})
		if res != nil {
			_ = res.Body.Close()
		}
		return ws, err
	}
	ask := func(ws *websocket.Conn, frame, want string) {
		t.Helper()
		if err := ws.WriteMessage(websocket.TextMessage, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		for {
			_ = ws.SetReadDeadline(time.Now().Add(await.Limit))
			_, answer, err := ws.ReadMessage()
			if err != nil {
				t.Fatalf("%s: %v", frame, err)
			}
			if strings.Contains(string(answer), want) {
				return
			}
		}
	}
	ws, err := dial(first)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	ask(ws, `{"jsonrpc":"2.0","id":1,"method":"hello","params":{"user":"ada"}}`, `"user":"ada"`)
	ask(ws, `{"jsonrpc":"2.0","id":2,"method":"join","params":{"channel":"lobby"}}`, `"id":2,"result"`)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: certtest.Client(first)}}
	defer client.CloseIdleConnections()
	res, err := client.Get("https://" + listen + "/")
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the page: %v %v", res, err)
	}
	_ = res.Body.Close()
	second.Write(t, folder)
	await.That(t, "the renewed certificate is shown", func() bool {
		next, err := dial(second)
		if err != nil {
			return false
		}
		return next.Close() == nil
	})
	p.find(`the certificate was read again.*expires=`)
	ask(ws, `{"jsonrpc":"2.0","id":3,"method":"chat","params":{"channel":"lobby","id":"1","body":"still here"}}`, `still here`)
}
