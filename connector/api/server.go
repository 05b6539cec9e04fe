package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"log/slog"
	"maps"
	"math"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/connector/quota"
	"github.com/parley-chat/parley/internal/plain"
	"github.com/parley-chat/parley/schema/rpc"
)

const (
	// MaxRequest is how many bytes the body of a request may have.
	MaxRequest = 1 << 20
	// MaxBatch is how many requests a batch may have.
	MaxBatch = 100

	bodies      = 64 << 20 // bytes of all that are being carried out, together
	bodiesOfKey = bodies / 4
	// Bytes of answers that are not taken yet, together. Small ones there is room for
	// beyond.
	answers      = 256 << 20
	answersOfKey = answers / 4
	smallAnswer  = 64 << 10

	headTimeout    = 5 * time.Second
	requestTimeout = 30 * time.Second // for all of a request to be read
	answerTimeout  = 90 * time.Second // for it to be carried out, and for the answer to be taken
	idleTimeout    = 2 * time.Minute
	closeTimeout   = time.Second
	headBytes      = 24 << 10 // a token has 8 KiB
)

// Config is what a Server needs.
type Config struct {
	Host   Host
	Keys   *KeysFile          // nil: there are none
	Tokens *identity.Verifier // of backends; nil: none are taken
	// Revoked reports whether a token is revoked.
	Revoked func(name string, t identity.Stamp) bool
	Rate    int // requests a second of each key; 0: any
	// Connections is how many there may be at once.
	Connections int
	TLS         *tls.Config      // nil: connections are not encrypted
	Version     string           // of the program
	OnAnswer    func(status int) // called for each HTTP request; nil: nothing to do
	Logger      *slog.Logger
}

// Server serves the API. Safe for concurrent use.
type Server struct {
	cfg     Config
	callers *callers
	routes  map[string]map[string]func(*request) // by path and HTTP method
	server  *plain.Server
	doc     []byte // the OpenAPI document
}

// NewServer returns a server that Serve starts.
func NewServer(cfg Config) *Server {
	s := &Server{
		cfg: cfg, doc: Document(cfg.Version),
		callers: &callers{
			keys: cfg.Keys, tokens: cfg.Tokens, revoked: cfg.Revoked, rate: cfg.Rate, shares: map[string]*share{},
			bodies: quota.NewPool(bodies, 0), answers: quota.NewPool(answers, smallAnswer),
		},
	}
	s.routes = map[string]map[string]func(*request){
		"/v1/rpc":          {http.MethodPost: s.rpc},
		"/v1/messages":     {http.MethodPost: s.post(rpc.MethodPublish), http.MethodGet: s.get(rpc.MethodHistory)},
		"/v1/members":      {http.MethodGet: s.get(rpc.MethodMembers)},
		"/v1/channels":     {http.MethodGet: s.get(rpc.MethodChannels)},
		"/v1/openapi.json": {http.MethodGet: s.document},
	}
	s.server = plain.NewServer(http.HandlerFunc(s.serve), plain.Bounds{
		Head: headTimeout, Request: requestTimeout, Answer: answerTimeout, Idle: idleTimeout, HeadBytes: headBytes, Connections: cfg.Connections,
	})
	s.server.DisableGeneralOptionsHandler = true // which answers without a key
	s.server.ErrorLog = log.New(complaints{cfg.Logger}, "", 0)
	return s
}

// complaints takes what net/http has to say: about clients, and of a request that
// panicked.
type complaints struct{ log *slog.Logger }

// Write implements io.Writer, for one line.
func (c complaints) Write(line []byte) (int, error) {
	level := slog.LevelDebug
	if bytes.Contains(line, []byte("panic serving")) {
		level = slog.LevelError
	}
	c.log.Log(context.Background(), level, string(line))
	return len(line), nil
}

// Serve serves the connections of a listener until Close.
func (s *Server) Serve(l net.Listener) error {
	if s.cfg.TLS != nil {
		l = tls.NewListener(l, s.cfg.TLS)
	}
	return s.server.Serve(l)
}

// Connections is how many there are.
func (s *Server) Connections() int { return s.server.Count() }

// Close ends Serve, with http.ErrServerClosed, and all connections. What is being
// answered has a moment for that.
func (s *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
	defer cancel()
	if s.server.Shutdown(ctx) == nil {
		return nil
	}
	return s.server.Close()
}

// serve counts what requests are answered with.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	counted := &counting{ResponseWriter: w, status: http.StatusOK}
	s.answer(counted, r)
	if s.cfg.OnAnswer != nil {
		s.cfg.OnAnswer(counted.status)
	}
}

// counting remembers the status of an answer.
type counting struct {
	http.ResponseWriter
	status int
}

func (c *counting) WriteHeader(status int) {
	c.status = status
	c.ResponseWriter.WriteHeader(status)
}

// request is an HTTP request of a caller.
type request struct {
	*http.Request
	w  http.ResponseWriter
	by *Caller
}

// answer answers a request. Who has no key is not told what there is.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	by, err := s.callers.identify(r.Context(), r)
	switch serve := s.route(r); {
	case errors.Is(err, identity.ErrLater):
		busy(w)
	case err != nil:
		w.Header().Set("WWW-Authenticate", `Bearer realm="parley"`)
		refuse(w, http.StatusUnauthorized, rpc.Unauthenticated(err.Error()))
	case serve == nil:
		s.astray(w, r)
	case !s.cfg.Host.Ready():
		w.Header().Set("Connection", "close") // the next one may lead to another connector
		busy(w)
	case !by.work.begin(s.cfg.Connections / 2):
		busy(w)
	default:
		defer by.work.end()
		plain.Engage(r.Context())
		serve(&request{r, w, by})
	}
}

// route is what serves a request; nil: nothing. A path that is written in another way is
// not the same one: a proxy may have judged it as it is.
func (s *Server) route(r *http.Request) func(*request) {
	if r.URL.RawPath != "" {
		return nil
	}
	return s.routes[r.URL.Path][r.Method]
}

// astray refuses a request for what there is not.
func (s *Server) astray(w http.ResponseWriter, r *http.Request) {
	methods := s.routes[r.URL.Path]
	if methods == nil || r.URL.RawPath != "" {
		refuse(w, http.StatusNotFound, &rpc.Error{Code: rpc.CodeNoMethod, Message: "there is no such path: /v1/rpc has every method"})
		return
	}
	allowed := strings.Join(slices.Sorted(maps.Keys(methods)), ", ")
	w.Header().Set("Allow", allowed)
	refuse(w, http.StatusMethodNotAllowed, &rpc.Error{Code: rpc.CodeInvalidRequest, Message: "invalid request: this path takes " + allowed})
}

// busy says that all is well with the request, and that it is to come again.
func busy(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, rpc.Unavailable(1000))
}

// body reads a request's body and counts it until done is called; false: the request is
// answered.
func (s *Server) body(r *request) (text []byte, done func(), ok bool) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" || r.Header.Get("Content-Encoding") != "" {
		refuse(r.w, http.StatusUnsupportedMediaType, &rpc.Error{Code: rpc.CodeInvalidRequest, Message: "the body is JSON as it is, with Content-Type: application/json and no Content-Encoding"})
		return nil, nil, false
	}
	size := int(min(max(r.ContentLength, 0), MaxRequest))
	if r.ContentLength < 0 {
		size = MaxRequest
	}
	held := new(atomic.Int64)
	if !r.by.bodies.Reserve(held, size, math.MaxInt) {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, MaxRequest)) // or the answer may be lost
		busy(r.w)
		return nil, nil, false
	}
	done = func() { r.by.bodies.Release(held, size) }
	text, err := io.ReadAll(http.MaxBytesReader(r.w, r.Body, MaxRequest))
	if err == nil {
		return text, done, true
	}
	done()
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		refuse(r.w, http.StatusRequestEntityTooLarge, rpc.TooLarge(MaxRequest))
	} else {
		refuse(r.w, http.StatusBadRequest, &rpc.Error{Code: rpc.CodeParse, Message: "the body cannot be read"})
	}
	return nil, nil, false
}

// drawn takes n requests from the caller's bucket; false: the request is answered.
func drawn(r *request, n int) bool {
	retry, ok := r.by.Draw(n)
	if ok {
		return true
	}
	r.w.Header().Set("Retry-After", strconv.Itoa(int(retry/time.Second)+1))
	refuse(r.w, http.StatusTooManyRequests, rpc.RateLimited(retry.Milliseconds()+1))
	return false
}

// refuse answers with an error as the body.
func refuse(w http.ResponseWriter, status int, bad *rpc.Error) {
	send(w, status, rpc.AppendJSON(nil, struct {
		Error *rpc.Error `json:"error"`
	}{bad}))
}

func send(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever does not take it has gone
}

func (s *Server) document(r *request) { send(r.w, http.StatusOK, s.doc) }

// one carries out one request, and waits for its answer, which counts until sent is
// called.
func (s *Server) one(ctx context.Context, by *Caller, r rpc.Request) (result []byte, sent func(), bad *rpc.Error) {
	type answered struct {
		result []byte
		bad    *rpc.Error
	}
	answer := make(chan answered, 1)
	s.cfg.Host.Begin(ctx, by, r, func(write func([]byte) []byte, bad *rpc.Error) {
		a := answered{bad: bad}
		if bad == nil {
			a.result = write(nil)
		}
		answer <- a
	})
	sent = func() {}
	select {
	case a := <-answer:
		held, size := new(atomic.Int64), len(a.result)
		if !by.answers.Reserve(held, size, math.MaxInt) {
			return nil, sent, rpc.Unavailable(1000)
		}
		return a.result, func() { by.answers.Release(held, size) }, a.bad
	case <-ctx.Done():
		return nil, sent, rpc.Unavailable(1000)
	}
}
