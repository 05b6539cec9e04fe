package clickhouse

import (
	"fmt"
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
		"clickhouse://parley:db1-topsecret@db1/chat": {
			Addresses: []string{"db1:9000"}, Database: "chat", User: "parley", Password: "db1-topsecret"},
		"clickhouse://db:pw@db/chat":           {Addresses: []string{"db:9000"}, Database: "chat", User: "db", Password: "pw"},
		"clickhouse://clickhouse/chat":         {Addresses: []string{"clickhouse:9000"}, Database: "chat", User: "default"},
		"CLICKHOUSE://hosts:a@hosts/hosts":     {Addresses: []string{"hosts:9000"}, Database: "hosts", User: "hosts", Password: "a"},
		"clickhouse://ada:a:b@c+d@ch":          {Addresses: []string{"ch:9000"}, Database: "default", User: "ada", Password: "a:b@c+d"},
		"clickhouse://ch?password-file=/a%40b": {Addresses: []string{"ch:9000"}, Database: "default", User: "default", PasswordFile: "/a@b"},
		"clickhouse://ch?password-file=/a+b":   {Addresses: []string{"ch:9000"}, Database: "default", User: "default", PasswordFile: "/a+b"},
		"clickhouse://[::1]/chat":              {Addresses: []string{"[::1]:9000"}, Database: "chat", User: "default"},
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

// Errors say what to do, and quote nothing: a special character in the password
// makes a host, a port, a database or an option of its end.
func TestParseErrors(t *testing.T) {
	for dsn, says := range map[string]string{
		"http://ada:sec@ch:8123/chat":                   "must begin with clickhouse://",
		"ch:9000":                                       "clickhouse://",
		"sec":                                           "clickhouse://",
		"clickhouse://":                                 "names no server",
		"clickhouse:///chat":                            "names no server",
		"clickhouse://a,,b/chat":                        "names no server",
		"clickhouse://ada:ret@":                         "names no server",
		"clickhouse://ada:sec:9000/chat":                "of the form host:port",
		"clickhouse://[::1/chat":                        "of the form host:port",
		"clickhouse://ada:sec]/chat":                    "of the form host:port",
		"clickhouse://ada:ret@ch:sec/chat":              "a number from 1 to 65535",
		"clickhouse://ada:sec@ch:0/chat":                "a number from 1 to 65535",
		"clickhouse://ada:sec@ch:70000/chat":            "a number from 1 to 65535",
		"clickhouse://ada:sec@ch/ret/b":                 "without slashes",
		"clickhouse://ada:sec@ch/chat?ret=1":            "unknown option",
		"clickhouse://ada:sec@ch/chat?secure=ret":       "true or false",
		"clickhouse://ada:sec%zzret@ch/chat":            "%25",
		"clickhouse://ada:sec@ch/chat?ca=%zz":           "percent-encode",
		"clickhouse://ada:sec@ch/chat?password-file=/f": "keep one",
		"clickhouse://ada@ch/chat?ca=":                  "empty or given twice",
		"clickhouse://ada@ch/chat?secure=1&secure=0":    "empty or given twice",
		"clickhouse://parley:Sec/ret7@ch1":              "%2F",
		"clickhouse://parley:Sec?ret7@ch1":              "%3F",
		"clickhouse://parley:Sec#ret7@ch1":              "%23",
		"clickhouse://parley:Sec#ret7@ch1/chat":         "%23",
		"clickhouse://parley:123#ret7@ch1/chat":         "%23",
		"clickhouse://parley:Sec@ret7/x@ch1/chat":       "%40",
		"clickhouse://parley:Sec/ret7":                  "a number from 1 to 65535",
		"clickhouse://parley:123/sec/ret":               "percent-encode",
		"clickhouse://parley:Sec ret7":                  "percent-encode",
		"clickhouse://parley:pw@ch sec/chat":            "percent-encode",
		"clickhouse://parley:pw@ch%73ec/chat":           "percent-encode",
	} {
		_, err := Parse(dsn)
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error %v, want one with %q", dsn, err, says)
		}
		for _, piece := range []string{"sec", "Sec", "ret", "ch1", "123"} {
			if quoted := strings.NewReplacer("secure", "", "secret", "").Replace(fmt.Sprint(err)); strings.Contains(quoted, piece) {
				t.Errorf("%q: the error quotes %q: %v", dsn, piece, err)
			}
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

// A plus in a DSN is a plus, so a space in a path has to be written otherwise.
func TestPasswordFileOfAnyName(t *testing.T) {
	const file = "/R&D data/a+b=c?#%20ö"
	for _, dsn := range []string{"", "clickhouse://ch/chat", "clickhouse://ch/chat?cluster=main"} {
		with, err := WithPasswordFile(dsn, file)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Parse(with); err != nil || got.PasswordFile != file {
			t.Errorf("%s names file %q, error %v, want %q", with, got.PasswordFile, err, file)
		}
	}
}
