package clickhouse

import (
	"net"
	"strings"
	"testing"
)

// A DSN is refused without a word of it, or names servers that can be dialled.
func FuzzDSN(f *testing.F) {
	for _, seed := range []string{
		"clickhouse://ada:hunter2@a:1,b/chat?cluster=c&secure=true", "clickhouse://[::1]:9000/", "clickhouse://a?password-file=/f", "clickhouse://a@b@c/d", "clickhouse://u:p%zz@h/", "CLICKHOUSE://h/%2F", "", "clickhouse://h:0", "clickhouse://h/d?ca=x&ca=y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, dsn string) {
		target, err := Parse(dsn)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\r\n") || len(err.Error()) > 300 {
				t.Errorf("%q: %q", dsn, err)
			}
			return
		}
		for _, address := range target.Addresses {
			if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
				t.Errorf("%q names the server %q", dsn, address)
			}
		}
		if len(target.Addresses) == 0 || target.Database == "" || strings.ContainsAny(target.Database, "/`\"'\\") {
			t.Errorf("%q is read as %+v", dsn, target)
		}
	})
}
