package identity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	fetchTimeout = 5 * time.Second
	refetchAfter = 30 * time.Second // for a kid that is not known
	maxHead      = 64 << 10         // bytes of an answer's headers
)

// Remote keeps the key set of a URL. Run fetches; the other methods may be
// called concurrently.
type Remote struct {
	url     *url.URL
	client  *http.Client
	logger  *slog.Logger
	refetch time.Duration // least time between attempts that tokens ask for

	first chan struct{} // closed when there is a set
	asked chan struct{} // an attempt is asked for; holds one

	mu      sync.Mutex
	set     *keySet       // the newest; nil: none could be fetched yet
	failure error         // of the newest attempt
	began   time.Time     // the newest attempt
	attempt chan struct{} // closed when the one that runs, or is asked for, is over; nil: none
}

// keySet is one that was fetched. Nobody changes it.
type keySet struct {
	keys  []Key
	began time.Time // before it was asked for
}

// NewRemote is the key set of a URL.
func NewRemote(address string, logger *slog.Logger) (*Remote, error) {
	u, err := parseURL(address)
	if err != nil {
		return nil, fmt.Errorf("--auth-jwks: %w", err)
	}
	return &Remote{
		url: u, client: newClient(u), logger: logger.With("from", u.Host), refetch: refetchAfter,
		first: make(chan struct{}), asked: make(chan struct{}, 1),
	}, nil
}

// newClient makes requests for a URL: without TLS to this machine alone,
// whatever a name stands for.
func newClient(u *url.URL) *http.Client {
	dialer := &net.Dialer{}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext,
		DisableKeepAlives: true, MaxResponseHeaderBytes: maxHead, ForceAttemptHTTP2: true,
	}
	if u.Scheme == "http" {
		transport.Proxy = nil
		dialer.Control = func(_, address string, _ syscall.RawConn) error {
			if to, err := netip.ParseAddrPort(address); err != nil || !to.Addr().Unmap().IsLoopback() {
				return errors.New("http:// is for this machine alone: use https://")
			}
			return nil
		}
	}
	return &http.Client{
		Transport: transport, Timeout: fetchTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Run fetches the set, and again when it is no longer fresh or a kid is asked
// for that it does not have, until ctx ends. fetched is told what became of each
// attempt.
func (r *Remote) Run(ctx context.Context, fetched func(error)) {
	retry := backoff.NewExponentialBackOff(backoff.WithInitialInterval(time.Second),
		backoff.WithMaxInterval(30*time.Second), backoff.WithMaxElapsedTime(0))
	for ctx.Err() == nil {
		keep, err := r.try(ctx, fetched)
		if err != nil {
			keep = retry.NextBackOff()
		} else {
			retry.Reset()
		}
		wait := time.NewTimer(keep)
		select {
		case <-wait.C:
		case <-r.asked:
		case <-ctx.Done():
		}
		wait.Stop()
	}
}

// try fetches the set once. A failure leaves the one before.
func (r *Remote) try(ctx context.Context, fetched func(error)) (keep time.Duration, err error) {
	r.mu.Lock()
	if r.attempt == nil {
		r.attempt = make(chan struct{})
	}
	select { // by this attempt
	case <-r.asked:
	default:
	}
	r.began = time.Now()
	began := r.began
	r.mu.Unlock()

	keys, keep, err := r.fetch(ctx)
	if ctx.Err() != nil {
		err = ErrLater
	} else {
		fetched(err)
		r.tell(err)
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		if r.set == nil {
			close(r.first)
		}
		r.set = &keySet{keys, began}
	}
	r.failure = err
	close(r.attempt)
	r.attempt = nil
	return keep, err
}

// tell logs what became of an attempt: an outage once, and its end.
func (r *Remote) tell(err error) {
	r.mu.Lock()
	before, missing := r.failure, r.set == nil
	r.mu.Unlock()
	switch {
	case err == nil || before != nil && before.Error() == err.Error():
	case missing:
		r.logger.Warn("the keys of tokens could not be fetched, and clients wait until they can: look at --auth-jwks", "error", err)
	default:
		r.logger.Warn("the keys of tokens could not be fetched again, and those there are serve on", "error", err)
	}
	if err == nil && before != nil {
		r.logger.Info("the keys of tokens were fetched")
	}
}

// fetch reads the set, and says for how long it is fresh. Its errors quote
// neither the URL nor the answer.
func (r *Remote) fetch(ctx context.Context) (keys []Key, keep time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url.String(), nil)
	if err != nil {
		return nil, 0, errors.New("the address cannot be used")
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := r.client.Do(request)
	if err != nil {
		return nil, 0, reason(err)
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code >= 300 && code < 400:
		return nil, 0, fmt.Errorf("it answers with %d, a redirect, which is not followed: give the address that it leads to", code)
	case code != http.StatusOK:
		return nil, 0, fmt.Errorf("it answers with %d", code)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxSet+1))
	switch {
	case err != nil:
		return nil, 0, reason(err)
	case len(text) > maxSet:
		return nil, 0, fmt.Errorf("its answer has more than %d bytes", maxSet)
	}
	keys, err = parseSet(text)
	return keys, keepFor(response.Header), err
}

// reason is why a request failed, without its URL.
func reason(err error) error {
	var request *url.Error
	if errors.As(err, &request) {
		err = request.Err
	}
	var slow net.Error
	if errors.As(err, &slow) && slow.Timeout() {
		return fmt.Errorf("it did not answer within %v", fetchTimeout)
	}
	return err
}

// check reports an error unless a key of the set signed the token. A kid that the
// set does not have is looked for in a newer one.
func (r *Remote) check(ctx context.Context, t *token) error {
	asked := time.Now()
	set := r.current()
	if set != nil {
		if err := t.check(set.keys); !errors.Is(err, errUnknown) {
			return err
		}
	}
	if !r.await(ctx, asked) {
		return ErrLater
	}
	if set = r.current(); set == nil {
		return ErrLater
	}
	err := t.check(set.keys)
	if errors.Is(err, errUnknown) && set.began.Before(asked) {
		return ErrLater
	}
	return err
}

func (r *Remote) current() *keySet {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.set
}

// await waits for the attempt that runs, or asks for one, unless the newest was
// a moment ago. It reports whether there was one.
func (r *Remote) await(ctx context.Context, now time.Time) bool {
	r.mu.Lock()
	if r.attempt == nil {
		if now.Sub(r.began) < r.refetch {
			r.mu.Unlock()
			return false
		}
		r.attempt = make(chan struct{})
		r.asked <- struct{}{} // empty: an attempt takes it, under the lock
	}
	over := r.attempt
	r.mu.Unlock()
	select {
	case <-over:
		return true
	case <-ctx.Done():
		return false
	}
}

// Host is where the set is fetched from.
func (r *Remote) Host() string { return r.url.Host }

// First is closed when there are keys.
func (r *Remote) First() <-chan struct{} { return r.first }

// Trouble says in a sentence why the keys could not be fetched; "" when they
// could. missing is whether there are none from before either.
func (r *Remote) Trouble() (text string, missing bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	why := "it is being asked"
	if r.failure != nil {
		why = r.failure.Error()
	}
	switch {
	case r.set == nil:
		return "the keys of tokens could not be fetched from " + r.url.Host + " yet: " + why, true
	case r.failure != nil:
		age := time.Since(r.set.began).Round(time.Second)
		return fmt.Sprintf("the keys of tokens cannot be fetched from %s, and those of %v ago serve on: %s", r.url.Host, age, why), false
	}
	return "", false
}
