// Package console asks the server API on behalf of an operator.
package console

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

const (
	answerTime = 30 * time.Second // for one answer
	maxAnswer  = 16 << 20         // bytes
	firstPause = 200 * time.Millisecond
	maxPause   = 2 * time.Second
)

// Config is what a Client needs.
type Config struct {
	URL, Key string
	TLS      *tls.Config   // nil: as the system has it
	Wait     time.Duration // for an API that does not answer, or says later
	// OnWait is called once, when a Call begins to wait; nil: nothing to do.
	OnWait func(why error)
}

// Client asks one API. Safe for concurrent use.
type Client struct {
	cfg  Config
	http *http.Client
}

// New returns a client of an API.
func New(cfg Config) *Client {
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: cfg.TLS}
	return &Client{cfg, &http.Client{
		Transport: transport, Timeout: answerTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // nobody else gets the key
	}}
}

// Call carries out a method, and sets result, a pointer, to what it brings. What may work
// later is tried again until Config.Wait has passed: again, where it is not nil, marks the
// params as sent before. Its errors say what to do.
func (c *Client) Call(ctx context.Context, method string, params any, again func(), result any) error {
	give, pause, waits := time.Now().Add(c.cfg.Wait), firstPause, false
	for {
		answer, err := c.try(ctx, method, params)
		if err == nil {
			return json.Unmarshal(answer, result)
		}
		var later *laterError
		if !errors.As(err, &later) || ctx.Err() != nil || time.Now().Add(max(pause, later.after)).After(give) {
			return err
		}
		if !waits && c.cfg.OnWait != nil {
			c.cfg.OnWait(err)
		}
		waits = true
		select {
		case <-time.After(max(pause, later.after)):
		case <-ctx.Done():
			return ctx.Err()
		}
		pause = min(2*pause, maxPause)
		if again != nil {
			again()
		}
	}
}

// laterError is of what may work later.
type laterError struct {
	error
	after time.Duration // at least; 0: any
}

func (e *laterError) Unwrap() error { return e.error }

// try asks once.
func (c *Client) try(ctx context.Context, method string, params any) (result json.RawMessage, err error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.URL+"/v1/rpc", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.cfg.Key)
	r.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	return c.read(res, text)
}

// unreached is what to say when there is no answer.
func (c *Client) unreached(ctx context.Context, err error) error {
	var untrusted *tls.CertificateVerificationError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &untrusted):
		return fmt.Errorf("the certificate of the API at %s is not trusted: %w; --api-ca names the certificates that vouch for it", c.cfg.URL, untrusted.Err)
	case errors.Is(err, http.ErrSchemeMismatch):
		return fmt.Errorf("the API at %s does not speak TLS: give its address with http://", c.cfg.URL)
	}
	return &laterError{fmt.Errorf("the API at %s does not answer: %w; correct --api, or start a connector with --api", c.cfg.URL, reason(err)), 0}
}

// reason is an error of a request without the request.
func reason(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// read reads an answer.
func (c *Client) read(res *http.Response, text []byte) (json.RawMessage, error) {
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *rpc.Error      `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Result == nil && answer.Error == nil {
		err := fmt.Errorf("what answers at %s is not the API (%s): correct --api", c.cfg.URL, res.Status)
		if res.StatusCode == http.StatusBadGateway || res.StatusCode == http.StatusServiceUnavailable || res.StatusCode == http.StatusGatewayTimeout {
			return nil, &laterError{err, 0} // of a balancer that has nobody to ask
		}
		return nil, err
	}
	bad := answer.Error
	if bad == nil {
		return answer.Result, nil
	}
	switch bad.Code {
	case rpc.CodeUnauthenticated:
		return nil, fmt.Errorf("the API at %s refuses the key: %w", c.cfg.URL, bad)
	case rpc.CodeNoMethod:
		return nil, fmt.Errorf("the API at %s does not know this yet: `parley format` shows the format of its log, and its version may be older: %w", c.cfg.URL, bad)
	case rpc.CodeUnavailable, rpc.CodeHistoryUnavailable, rpc.CodeRateLimited:
		after := time.Duration(0)
		if bad.Data != nil {
			after = time.Duration(bad.Data.Retry) * time.Millisecond
		}
		return nil, &laterError{bad, after}
	}
	return nil, bad
}
