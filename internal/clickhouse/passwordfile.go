package clickhouse

import (
	"net/url"
	"strings"
)

// WithPasswordFile returns dsn with the password taken from a file, unless dsn
// has a password or names a file itself, or file is "".
func WithPasswordFile(dsn, file string) (string, error) {
	t, err := Parse(dsn)
	if err != nil || file == "" || t.Password != "" || t.PasswordFile != "" {
		return dsn, err
	}
	if dsn == "" {
		dsn = DefaultDSN
	}
	separator := "?"
	if strings.Contains(dsn, "?") {
		separator = "&"
	}
	return dsn + separator + "password-file=" + strings.ReplaceAll(url.QueryEscape(file), "+", "%20"), nil // + is a plus to Parse
}
