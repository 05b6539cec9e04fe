package clickhouse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/trust"
)

// DefaultDSN is the server that is used when none is named.
const DefaultDSN = "clickhouse://127.0.0.1:9000/default"

const (
	scheme          = "clickhouse"
	defaultDatabase = "default"
	defaultUser     = "default"
	plainPort       = "9000"
	tlsPort         = "9440"
)

// Target is what a DSN names.
type Target struct {
	Addresses []string // host:port, of servers that hold the same
	Database  string
	User      string
	Password  string
	// Cluster over which the tables are replicated; "" for a single server.
	Cluster string
	// Secure connections speak TLS, with the certificates in Files.
	Secure bool
	Files  trust.Files
	// PasswordFile holds the password; "" when the DSN does or without one.
	PasswordFile string

	tls *tls.Config // once the files are loaded; nil for a plain connection
}

// Parse reads a DSN of the form
//
//	clickhouse://[user:password@]host:port[,host:port…]/database[?cluster=NAME][&secure=true]
//		[&ca=FILE][&cert=FILE&key=FILE][&password-file=FILE]
//
// Other characters than letters, digits and -._~ in user and password are
// percent-encoded. A ca, or a cert with its key, means TLS too. The files are
// not read yet. Its errors quote nothing of the DSN: a character too many in
// the password moves the borders of all that follows.
func Parse(dsn string) (Target, error) {
	if dsn == "" {
		dsn = DefaultDSN
	}
	given, rest, found := strings.Cut(dsn, "://")
	if !found || !strings.EqualFold(given, scheme) {
		return Target{}, errors.New("the ClickHouse DSN must begin with clickhouse://")
	}
	rest, query, _ := strings.Cut(rest, "?")
	authority, database, _ := strings.Cut(rest, "/")
	if strings.Contains(dsn, "#") || strings.Contains(database+query, "@") {
		return Target{}, errors.New("the ClickHouse DSN has a /, ?, # or @ where it should not: percent-encode these in user, password and files, as %2F, %3F, %23 and %40")
	}
	t := Target{User: defaultUser}
	hosts := authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		hosts = authority[at+1:]
		if err := t.login(authority[:at]); err != nil {
			return Target{}, err
		}
	}
	if err := t.database(database); err != nil {
		return Target{}, err
	}
	if err := t.options(query); err != nil {
		return Target{}, err
	}
	return t, t.hosts(hosts)
}

// Check reports what is wrong with a DSN and the files that it names, as New
// would, without a connection.
func Check(dsn string) error {
	t, err := Parse(dsn)
	if err != nil {
		return err
	}
	return t.load()
}

// login reads user[:password].
func (t *Target) login(text string) (err error) {
	user, password, _ := strings.Cut(text, ":")
	if t.User, err = url.PathUnescape(user); err == nil {
		t.Password, err = url.PathUnescape(password)
	}
	if err != nil {
		return errors.New("the ClickHouse DSN cannot be read: percent-encode the % in user and password, as %25")
	}
	return nil
}

func (t *Target) database(text string) (err error) {
	if t.Database, err = url.PathUnescape(text); err != nil || strings.ContainsAny(t.Database, "/`\"'\\") {
		return errors.New("the ClickHouse DSN names no database that can be used: a name without slashes and quotes is needed; percent-encode a / in the password, as %2F")
	}
	if t.Database == "" {
		t.Database = defaultDatabase
	}
	return nil
}

func (t *Target) options(query string) error {
	options, err := url.ParseQuery(strings.ReplaceAll(query, "+", "%2B")) // which is a plus, as in the login
	if err != nil {
		return errors.New("the options of the ClickHouse DSN cannot be read: percent-encode special characters in them")
	}
	for name, values := range options {
		value := values[0]
		if len(values) > 1 || value == "" {
			return errors.New("the ClickHouse DSN has an option that is empty or given twice")
		}
		switch name {
		case "cluster":
			t.Cluster = value
		case "secure":
			secure, err := strconv.ParseBool(value)
			if err != nil {
				return errors.New("the option secure of the ClickHouse DSN takes true or false")
			}
			t.Secure = secure
		case "ca":
			t.Files.CA = value
		case "cert":
			t.Files.Cert = value
		case "key":
			t.Files.Key = value
		case "password-file":
			t.PasswordFile = value
		default:
			return errors.New("the ClickHouse DSN has an unknown option: the options are cluster, secure, ca, cert, key and password-file")
		}
	}
	t.Secure = t.Secure || t.Files != (trust.Files{})
	if t.PasswordFile != "" && t.Password != "" {
		return errors.New("the ClickHouse DSN has a password and a password-file: keep one")
	}
	return nil
}

// load reads the files that a DSN names.
func (t *Target) load() (err error) {
	if t.PasswordFile != "" {
		if t.Password, err = trust.Secret(t.PasswordFile); err != nil {
			return fmt.Errorf("the login to ClickHouse (--clickhouse-password-file, or password-file in the DSN): %w", err)
		}
	}
	if t.Secure {
		if t.tls, err = t.Files.Config(); err != nil {
			return fmt.Errorf("TLS with ClickHouse (ca, cert and key in the DSN): %w", err)
		}
	}
	return nil
}

func (t *Target) hosts(list string) error {
	port := plainPort
	if t.Secure {
		port = tlsPort
	}
	for host := range strings.SplitSeq(list, ",") {
		if host == "" {
			return errors.New("the ClickHouse DSN names no server: it reads clickhouse://host:port/database")
		}
		if _, _, err := net.SplitHostPort(host); err != nil {
			host = net.JoinHostPort(unbracketed(host), port)
		}
		name, number, err := net.SplitHostPort(host)
		if err != nil || name == "" || strings.ContainsFunc(name, notInHost) || strings.Contains(name, ":") && !isIPv6(name) {
			return errors.New("the ClickHouse DSN names a server that is not of the form host:port; percent-encode special characters in the password")
		}
		if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 {
			return errors.New("the ClickHouse DSN names a port that is not a number from 1 to 65535; percent-encode special characters in the password")
		}
		t.Addresses = append(t.Addresses, host)
	}
	return nil
}

// unbracketed is a host without the brackets of an IPv6 address.
func unbracketed(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok && strings.HasSuffix(inner, "]") {
		return inner[:len(inner)-1]
	}
	return host
}

func isIPv6(name string) bool {
	a, err := netip.ParseAddr(name)
	return err == nil && a.Is6()
}

// notInHost reports a character that no name and no address of a server has.
func notInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune("%/\\?@<>\"'^`{|}!$&()*+;=[]", r)
}
