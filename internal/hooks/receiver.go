package hooks

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
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/quote"
	"github.com/parley-chat/parley/internal/roles"
)

const (
	// defaultTimeout is how long the receiver may take to answer.
	defaultTimeout = 30 * time.Second
	// maxAnswer is read of an answer, so that its connection can be used again; one
	// that is longer is cut off.
	maxAnswer = 64 << 10
	// maxHeader bounds the head of an answer.
	maxHeader = 64 << 10

	secretPrefix = "whsec_"
	minSecret    = 24 // bytes, by Standard Webhooks
	maxSecret    = 64
)

// Receiver is where events go.
type Receiver struct {
	// URL is http or https.
	URL string
	// Secrets sign what is sent, each for itself, as Standard Webhooks has it; none
	// are needed for a URL of this machine alone.
	Secrets [][]byte
	// TLS is with whom https speaks; nil: whom the system trusts.
	TLS *tls.Config
	// Timeout is how long an answer may take. Defaults to 30 s.
	Timeout time.Duration
}

// Check says what is wrong with it.
func (r Receiver) Check() error {
	made, err := newReceiver(r)
	if err == nil {
		made.close()
	}
	return err
}

// ReadSecrets reads a file of secrets, one a line, such as whsec_… in Base64. While
// a secret is replaced there are two. Its errors show nothing of them.
func ReadSecrets(path string) (secrets [][]byte, err error) {
	text, err := os.ReadFile(path)
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

// receiver POSTs. Safe for concurrent use.
type receiver struct {
	url     string
	shown   string // for people: without what may be secret
	secrets [][]byte
	timeout time.Duration
	client  *http.Client
	agent   string
}

func newReceiver(cfg Receiver) (*receiver, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("the URL of hooks is not one of HTTP: it is like https://example.com/hooks")
	}
	if u.User != nil || u.Fragment != "" {
		return nil, errors.New("the URL of hooks has a login or a fragment: leave it out, what is sent is signed")
	}
	if len(cfg.Secrets) == 0 && !loopback(u.Hostname()) {
		return nil, errors.New("hooks beyond this machine are signed: name a file with a secret, --secret-file, which `echo whsec_$(openssl rand -base64 32)` makes")
	}
	if cfg.Timeout <= 0 {
		cfg.Timeout = defaultTimeout
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true,
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second,
		MaxIdleConnsPerHost: 64, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
	return &receiver{
		url: cfg.URL, shown: u.Scheme + "://" + u.Host, secrets: cfg.Secrets, timeout: cfg.Timeout, agent: "parley/" + roles.Version(),
		client: &http.Client{
			Transport:     transport,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (r *receiver) close() { r.client.CloseIdleConnections() }

// What became of a request.
const (
	resultOK         = "ok"
	resultGone       = "gone"       // 410
	resultRedirect   = "redirect"   // which are not followed
	resultStatus     = "status"     // any other
	resultTimeout    = "timeout"    // no answer in time
	resultTLS        = "tls"        // its certificate is not trusted
	resultConnection = "connection" // whatever else keeps an answer from coming
)

// sealed is a batch with what goes along with it at every attempt.
type sealed struct {
	id   string
	body []byte
}

// seal makes the id of a body, which is the same where all of it is.
func seal(body []byte) sealed {
	sum := sha256.Sum256(body)
	return sealed{"msg_" + base64.RawURLEncoding.EncodeToString(sum[:18]), body}
}

// post sends once, and returns what became of it; the error says more, and nothing
// of the URL's path or of the answer.
func (r *receiver) post(ctx context.Context, s sealed) (result string, err error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(s.body))
	if err != nil {
		return resultConnection, err
	}
	r.sign(req.Header, s, time.Now())
	res, err := r.client.Do(req)
	if err != nil {
		return r.failed(ctx, err)
	}
	defer func() { _ = res.Body.Close() }()
	// A body that is longer, or late, costs its connection and nothing else.
	_, _ = io.CopyN(io.Discard, res.Body, maxAnswer)
	switch {
	case res.StatusCode/100 == 2:
		return resultOK, nil
	case res.StatusCode == http.StatusGone:
		result = resultGone
	case res.StatusCode/100 == 3:
		result = resultRedirect
	default:
		result = resultStatus
	}
	return result, fmt.Errorf("%s answered %d %s", r.shown, res.StatusCode, http.StatusText(res.StatusCode))
}

// sign sets the head of a request, by Standard Webhooks.
func (r *receiver) sign(h http.Header, s sealed, now time.Time) {
	at := strconv.FormatInt(now.Unix(), 10)
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", r.agent)
	h.Set("Webhook-Id", s.id)
	h.Set("Webhook-Timestamp", at)
	var all []string
	for _, secret := range r.secrets {
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(s.id + "." + at + "."))
		mac.Write(s.body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if all != nil {
		h.Set("Webhook-Signature", strings.Join(all, " "))
	}
}

// failed names what kept an answer from coming.
func (r *receiver) failed(ctx context.Context, err error) (result string, named error) {
	var inURL *url.Error
	if errors.As(err, &inURL) {
		err = inURL.Err // without the URL
	}
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return resultTimeout, fmt.Errorf("%s did not answer within %v", r.shown, r.timeout)
	case errors.As(err, &verification), errors.As(err, &unknown):
		return resultTLS, fmt.Errorf("the certificate of %s is not to be trusted (--ca names who vouches for it): %w", r.shown, err)
	}
	return resultConnection, fmt.Errorf("%s does not answer: %w", r.shown, err)
}
