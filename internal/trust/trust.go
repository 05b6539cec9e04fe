// Package trust reads certificates from files, for connections to servers.
package trust

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/parley-chat/parley/internal/quote"
)

// Files are PEM files; "" for none.
type Files struct {
	// CA are the certificates that vouch for servers, in place of the system's.
	CA string
	// Cert and Key are what this program shows to servers that ask for it.
	Cert, Key string
}

// Config reads the files. Its errors name the file and what is wrong with it.
func (f Files) Config() (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.CA != "" {
		text, err := os.ReadFile(f.CA)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be read: %w", quote.Named("the file of CA certificates", f.CA), quote.Reason(err))
		}
		cfg.RootCAs = x509.NewCertPool()
		if !cfg.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s holds no certificates: it takes them in PEM", quote.Named("the file of CA certificates", f.CA))
		}
	}
	switch {
	case f.Cert == "" && f.Key == "":
		return cfg, nil
	case f.Cert == "" || f.Key == "":
		return nil, errors.New("a client certificate takes two files, the certificate and its key")
	}
	pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used with %s: %w", quote.Named("the certificate", f.Cert), quote.Named("the key", f.Key), quote.Reason(err))
	}
	cfg.Certificates = []tls.Certificate{pair}
	return cfg, nil
}

// Secret reads a password from a file, without the line's end.
func Secret(path string) (string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", quote.Named("the file of the password", path), quote.Reason(err))
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s holds no password", quote.Named("the file", path))
	}
	return secret, nil
}

// errSpeaksTLS is an error of a plain connection.
var errSpeaksTLS = errors.New("the server answers a TLS handshake")

// diagnosisTimeout bounds each probe of a server that hung up.
const diagnosisTimeout = 2 * time.Second

// Plain is err, of a plain connection to addr. Where the server hung up, and
// answers a TLS handshake, it adds that. A server whose answer to an HTTP
// request holds says is a plain one, which stopped or is starting: it is not
// asked for TLS, as that may be too much for it.
func Plain(ctx context.Context, addr, says string, err error) error {
	if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	if strings.Contains(answer(ctx, addr), says) || !speaksTLS(ctx, addr) {
		return err
	}
	return fmt.Errorf("%w: %w", errSpeaksTLS, err)
}

// answer is how a server answers an HTTP request; "" if it does not.
func answer(ctx context.Context, addr string) string {
	ctx, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	if _, err := io.WriteString(conn, "GET / HTTP/1.0\r\n\r\n"); err != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(conn, 4096))
	return string(text)
}

// speaksTLS reports whether a server answers a TLS handshake.
func speaksTLS(ctx context.Context, addr string) bool {
	ctx, cancel := context.WithTimeout(ctx, diagnosisTimeout)
	defer cancel()
	// #nosec G402 -- nothing is sent over this connection: its owner does not matter
	conn, err := (&tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}).DialContext(ctx, "tcp", addr)
	if err == nil {
		return conn.Close() == nil
	}
	var alert *net.OpError
	return errors.As(err, &alert) && alert.Op == "remote error"
}

// Refused returns in words why a TLS connection failed, or "" when err is of
// another kind. Another try does not fix it.
func Refused(err error) string {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.Is(err, errSpeaksTLS):
		return "it speaks TLS at this address, check the port or use TLS"
	case errors.As(err, &cert):
		return "its certificate is not trusted, check the CA and the name"
	case errors.As(err, &record):
		return "it does not speak TLS at this address, check port and flags"
	case errors.As(err, &alert) && alert.Op == "remote error":
		return "it refuses the TLS connection, check the client's certificate"
	}
	return ""
}
