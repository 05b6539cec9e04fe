package clickhouse

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
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
	// PasswordFile holds the password; "" when the DSN does or there is none.
	PasswordFile string

	tls *tls.Config // once the files are loaded; nil for a plain connection
}

// Parse reads a DSN of the form
//
//	clickhouse://[user:password@]host:port[,host:port…]/database[?cluster=NAME][&secure=true]
//		[&ca=FILE][&cert=FILE&key=FILE][&password-file=FILE]
//
// A ca, or a cert with its key, means TLS too. The files are not read yet. Its
// errors name the part that is wrong, and never the password.
func Parse(dsn string) (Target, error) {
	if dsn == "" {
		dsn = DefaultDSN
	}
	u, err := url.Parse(withoutHosts(dsn))
	if err != nil {
		return Target{}, fmt.Errorf("the ClickHouse DSN cannot be read: %w", reasonOf(err))
	}
	if u.Scheme != scheme {
		return Target{}, fmt.Errorf("the ClickHouse DSN begins with %q: it must begin with %s://", u.Scheme+"://", scheme)
	}
	t := Target{Database: strings.TrimPrefix(u.Path, "/"), User: defaultUser}
	if t.Database == "" {
		t.Database = defaultDatabase
	}
	if strings.ContainsAny(t.Database, "/`\"'\\") {
		return Target{}, fmt.Errorf("the ClickHouse DSN names the database %q: a name without slashes and quotes is needed", t.Database)
	}
	if u.User != nil {
		t.User = u.User.Username()
		t.Password, _ = u.User.Password()
	}
	if err := t.options(u.RawQuery); err != nil {
		return Target{}, err
	}
	return t, t.hosts(hostsOf(dsn))
}

// hostsOf is the part of a DSN that may name several servers, which net/url
// would not take.
func hostsOf(dsn string) string {
	_, rest, _ := strings.Cut(dsn, "://")
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	return rest[strings.LastIndexByte(rest, '@')+1:]
}

func withoutHosts(dsn string) string {
	if hosts := hostsOf(dsn); hosts != "" {
		return strings.Replace(dsn, hosts, "hosts", 1)
	}
	return dsn
}

// reasonOf strips the DSN, which may hold a password, from an error.
func reasonOf(err error) error {
	var parse *url.Error
	if errors.As(err, &parse) {
		return parse.Err
	}
	return err
}

func (t *Target) options(query string) error {
	options, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("the options of the ClickHouse DSN cannot be read: %w", err)
	}
	for name, values := range options {
		value := values[len(values)-1]
		switch name {
		case "cluster":
			t.Cluster = value
		case "secure":
			secure, err := strconv.ParseBool(value)
			if err != nil {
				return fmt.Errorf("the ClickHouse DSN says secure=%s: it takes true or false", value)
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
			return fmt.Errorf("the ClickHouse DSN has the unknown option %q: there are cluster, secure, ca, cert, key and password-file", name)
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
			return fmt.Errorf("the login to ClickHouse: %w", err)
		}
	}
	if t.Secure {
		if t.tls, err = t.Files.Config(); err != nil {
			return fmt.Errorf("TLS with ClickHouse: %w", err)
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
			host = net.JoinHostPort(strings.Trim(host, "[]"), port)
		}
		name, number, err := net.SplitHostPort(host)
		if err != nil || name == "" || strings.ContainsAny(name, " \t") {
			return fmt.Errorf("the ClickHouse DSN names the server %q: it reads host:port", host)
		}
		if n, err := strconv.ParseUint(number, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("the ClickHouse DSN names the port %q: it takes a number from 1 to 65535", number)
		}
		t.Addresses = append(t.Addresses, host)
	}
	return nil
}
