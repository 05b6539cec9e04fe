// Package webhook POSTs JSON to a program of the operator's, signed by Standard
// Webhooks (https://www.standardwebhooks.com), and reads a bounded answer.
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/quote"
)

const (
	// MaxAnswer is how much of an answer is read, in bytes.
	MaxAnswer = 64 << 10
	// maxUnread bounds what has come on a connection of HTTP/2, and was not read yet, in
	// bytes.
	maxUnread = 1 << 20
	// maxHead bounds the head of an answer.
	maxHead = 64 << 10
	// lateBody is how long the rest of an answer that nobody reads may take: then its
	// connection can be used again.
	lateBody = time.Second

	secretPrefix = "whsec_"
	minSecret    = 24 // bytes, by Standard Webhooks
	maxSecret    = 64
	maxSecrets   = 4 << 10 // bytes of the file
)

// Receiver is where requests go.
type Receiver struct {
	// URL is http or https.
	URL string
	// Secrets sign what is sent, each for itself; none are needed for a URL of
	// this machine alone.
	Secrets [][]byte
	// TLS is with whom https speaks; nil: whom the system trusts.
	TLS *tls.Config
	// Timeout is how long an answer may take.
	Timeout time.Duration
	// Agent is the name of the sender.
	Agent string
}

// ReadSecrets reads a file of secrets, one a line, such as whsec_… in Base64. While
// a secret is replaced there are two. Its errors show nothing of them.
func ReadSecrets(path string) (secrets [][]byte, err error) {
	text, err := files.Read(path, maxSecrets)
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", quote.Named("the file of secrets", path), quote.Reason(err))
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		encoded, prefixed := strings.CutPrefix(strings.TrimSpace(line), secretPrefix)
		secret, err := base64.StdEncoding.DecodeString(encoded)
		if !prefixed || err != nil || len(secret) < minSecret || len(secret) > maxSecret {
			return nil, fmt.Errorf("line %d of %s is not a secret: it takes whsec_ and %d to %d bytes in Base64, as of `echo whsec_$(openssl rand -base64 32)`", i+1, quote.Named("the file", path), minSecret, maxSecret)
		}
		secrets = append(secrets, secret)
	}
	return secrets, nil
}

// Sender POSTs to one receiver. Safe for concurrent use.
type Sender struct {
	Receiver
	shown     string // see String
	transport *http.Transport
}

// NewSender checks a receiver; its errors say what to do.
func NewSender(to Receiver) (*Sender, error) {
	u, err := url.Parse(to.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, errors.New("the URL is not one of HTTP: it is like https://example.com/parley")
	case u.User != nil || u.Fragment != "":
		return nil, errors.New("the URL has a login or a fragment: leave it out, what is sent is signed")
	case len(to.Secrets) == 0 && !loopback(u.Hostname()):
		return nil, errors.New("what is sent beyond this machine is signed: name a file with a secret, which `echo whsec_$(openssl rand -base64 32)` makes")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: to.TLS, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second,
		MaxIdleConnsPerHost: 64, MaxResponseHeaderBytes: maxHead, DisableCompression: true,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: MaxAnswer, MaxReceiveBufferPerConnection: maxUnread},
	}
	return &Sender{to, u.Scheme + "://" + u.Host, transport}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// String is where it sends to, for people: without what may be secret.
func (s *Sender) String() string { return s.shown }

// Close closes the connections that are idle.
func (s *Sender) Close() { s.transport.CloseIdleConnections() }

// Result is what became of a request.
type Result = string

// What a Result is.
const (
	OK         Result = "ok"         // 2xx
	Gone       Result = "gone"       // 410
	Redirect   Result = "redirect"   // which are not followed
	Status     Result = "status"     // any other
	Timeout    Result = "timeout"    // no answer in time
	Untrusted  Result = "tls"        // its certificate is not trusted
	Connection Result = "connection" // whatever else keeps an answer from coming
)

// Results are all there are.
var Results = []Result{OK, Gone, Redirect, Status, Timeout, Untrusted, Connection}

// Refused is the error of an answer that is not 2xx.
type Refused struct {
	by     string
	status int
	// RetryAfter is after how long to come again, by an answer of 429 or 503; 0: it does
	// not say.
	RetryAfter time.Duration
}

// Error implements error.
func (r *Refused) Error() string {
	return fmt.Sprintf("%s answered %d %s", r.by, r.status, http.StatusText(r.status))
}

// Post sends a body once, and leaves the answer's unread. The id is the same when the
// same body is sent again. The error says more of a result that is not OK, and nothing
// of the URL's path or of the answer; it is a *Refused where there is one.
func (s *Sender) Post(ctx context.Context, id string, body []byte) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	res, err := s.send(ctx, id, body)
	if err != nil {
		return s.failed(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	// What is longer, or late, costs its connection and nothing else.
	late := time.AfterFunc(lateBody, cancel)
	defer late.Stop()
	_, _ = io.CopyN(io.Discard, res.Body, MaxAnswer)
	return s.judge(res)
}

// Ask is Post for those who want the answer, which has to come in time as a whole. It
// has no more than MaxAnswer bytes and one, where the result is OK.
func (s *Sender) Ask(ctx context.Context, id string, body []byte) (answer []byte, result Result, err error) {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	res, err := s.send(ctx, id, body)
	if err == nil {
		defer func() { _ = res.Body.Close() }()
		if result, err := s.judge(res); err != nil {
			return nil, result, err
		}
		answer, err = io.ReadAll(io.LimitReader(res.Body, MaxAnswer+1))
	}
	if err != nil {
		result, err = s.failed(ctx, err)
		return nil, result, err
	}
	return answer, OK, nil
}

// send follows no redirect and keeps no cookie, as clients of net/http would.
func (s *Sender) send(ctx context.Context, id string, body []byte) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	s.sign(req.Header, id, body, time.Now())
	return s.transport.RoundTrip(req)
}

// judge is the result by the status.
func (s *Sender) judge(res *http.Response) (result Result, err error) {
	refused := &Refused{by: s.shown, status: res.StatusCode}
	switch {
	case res.StatusCode/100 == 2:
		return OK, nil
	case res.StatusCode == http.StatusGone:
		return Gone, refused
	case res.StatusCode/100 == 3:
		return Redirect, refused
	case res.StatusCode == http.StatusTooManyRequests, res.StatusCode == http.StatusServiceUnavailable:
		refused.RetryAfter = retryAfter(res.Header.Get("Retry-After"), time.Now())
	}
	return Status, refused
}

// retryAfter reads a Retry-After of RFC 9110, seconds or a date; 0: it is neither, or has
// passed.
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 32); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	return max(0, at.Sub(now))
}

// sign sets the head of a request.
func (s *Sender) sign(h http.Header, id string, body []byte, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", s.Agent)
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", at)
	var all []string
	for _, secret := range s.Secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(id + "." + at + "."))
		mac.Write(body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if all != nil {
		h.Set("Webhook-Signature", strings.Join(all, " "))
	}
}

// failed names what kept an answer from coming. Of errors that may quote what the
// receiver has sent it says no more than that.
func (s *Sender) failed(ctx context.Context, err error) (Result, error) {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var network net.Error
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return Timeout, fmt.Errorf("%s did not answer within %v", s.shown, s.Timeout)
	case errors.As(err, &verification), errors.As(err, &unknown):
		return Untrusted, fmt.Errorf("the certificate of %s is not to be trusted: %w", s.shown, err)
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF),
		errors.Is(err, http.ErrSchemeMismatch), ctx.Err() != nil:
		return Connection, fmt.Errorf("%s does not answer: %w", s.shown, err)
	}
	return Connection, fmt.Errorf("%s does not answer as HTTP has it, or with a head of more than %d bytes: is the URL that of the right program?", s.shown, maxHead)
}
