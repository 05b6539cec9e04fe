package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPomeloFlags(t *testing.T) {
	routes := filepath.Join(t.TempDir(), "routes.json")
	if err := os.WriteFile(routes, []byte(`{"send": "say"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ flags, says string }{
		{"", ""},
		{"--pomelo 127.0.0.1:0", ""},
		{"--pomelo 127.0.0.1:0 --pomelo-entry chat.example.com:443 --pomelo-history 0 --pomelo-single", ""},
		{"--pomelo nowhere", "--pomelo: it takes an address of the form host:port"},
		{"--pomelo 0.0.0.0:3014", "--pomelo: "},
		{"--pomelo 0.0.0.0:3014 --open", ""},
		{"--pomelo-single", "take --pomelo with them"},
		{"--pomelo-entry chat.example.com:443", "take --pomelo with them"},
		{"--pomelo 127.0.0.1:0 --pomelo-entry :443", "--pomelo-entry takes the host and the port"},
		{"--pomelo 127.0.0.1:0 --pomelo-entry chat.example.com:0", "--pomelo-entry takes the host and the port"},
		{"--pomelo 127.0.0.1:0 --pomelo-history 301", "--pomelo-history is 301: it takes a number from 0 to 300"},
		{"--pomelo 127.0.0.1:0 --pomelo-routes " + routes, "the file of routes"},
		{"--pomelo 127.0.0.1:0 --pomelo-routes " + routes + ".none", "cannot be read"},
	} {
		var out, errs bytes.Buffer
		code := Run(strings.Fields("check connector "+c.flags), &out, &errs)
		if said := out.String() + errs.String(); (code == 0) != (c.says == "") || !strings.Contains(said, c.says) {
			t.Errorf("%s: code %d, %s; want %q", c.flags, code, said, c.says)
		}
	}
}
