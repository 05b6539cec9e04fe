package clickhouse

import (
	"reflect"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for dsn, want := range map[string]Target{
		"": {Addresses: []string{"127.0.0.1:9000"}, Database: "default", User: "default"},
		"clickhouse://127.0.0.1:9000/default": {
			Addresses: []string{"127.0.0.1:9000"}, Database: "default", User: "default"},
		"clickhouse://ch": {Addresses: []string{"ch:9000"}, Database: "default", User: "default"},
		"clickhouse://ada:p%40ss:w%2Ford@ch:1/chat": {
			Addresses: []string{"ch:1"}, Database: "chat", User: "ada", Password: "p@ss:w/ord"},
		"clickhouse://ada@a:1,b,[::1]:3/chat?cluster=main": {
			Addresses: []string{"a:1", "b:9000", "[::1]:3"}, Database: "chat", User: "ada", Cluster: "main"},
		"clickhouse://[::1]/chat": {Addresses: []string{"[::1]:9000"}, Database: "chat", User: "default"},
	} {
		got, err := Parse(dsn)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, error %v, want %+v", dsn, got, err, want)
		}
	}
	for _, option := range []string{"secure=true", "ca=/ca.pem", "cert=/c.pem&key=/k.pem"} {
		secure, err := Parse("clickhouse://ch/chat?" + option)
		if err != nil || !secure.Secure || secure.Addresses[0] != "ch:9440" {
			t.Errorf("%s: %+v, error %v", option, secure, err)
		}
	}
}

// Errors name the part that is wrong, and never the password.
func TestParseErrors(t *testing.T) {
	for dsn, says := range map[string]string{
		"http://ada:secret@ch:8123/chat":                   "must begin with clickhouse://",
		"ch:9000":                                          "clickhouse://",
		"clickhouse://":                                    "names no server",
		"clickhouse:///chat":                               "names no server",
		"clickhouse://a,,b/chat":                           "names no server",
		"clickhouse://ada:secret@ch:x/chat":                `port "x"`,
		"clickhouse://ada:secret@ch:0/chat":                `port "0"`,
		"clickhouse://ada:secret@ch:70000/chat":            `port "70000"`,
		"clickhouse://ada:secret@ch/a/b":                   `database "a/b"`,
		"clickhouse://ada:secret@ch/chat?debug=1":          `unknown option "debug"`,
		"clickhouse://ada:secret@ch/chat?secure=x":         "secure=x",
		"clickhouse://ada:sec%zzret@ch/chat":               "cannot be read",
		"clickhouse://ada:secret@ch/chat?password-file=/f": "keep one",
	} {
		_, err := Parse(dsn)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: error %v, want one with %q and without the password", dsn, err, says)
		}
	}
}

func TestClusterSettings(t *testing.T) {
	single, cluster := settings(""), settings("main")
	for _, s := range []map[string]any{single, cluster} {
		if s["async_insert"] != 0 || s["insert_deduplicate"] != 0 {
			t.Errorf("inserts are not stored at once, or may be left out: %v", s)
		}
	}
	if len(single) != 2 || cluster["insert_quorum"] != "auto" || cluster["insert_quorum_parallel"] != 0 || cluster["select_sequential_consistency"] != 1 {
		t.Errorf("single %v, cluster %v", single, cluster)
	}
}
