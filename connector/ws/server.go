package ws

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/parley-chat/parley/internal/plain"
)

const (
	headTimeout   = 5 * time.Second  // for a request's head
	answerTimeout = 30 * time.Second // for the page to be taken
	idleTimeout   = time.Minute      // between two requests
	// RequestTimeout is for all of a request: none has a body that we read.
	RequestTimeout = 10 * time.Second
	// MaxHead is how many bytes a request's head may have.
	MaxHead = 16 << 10
	// acceptPatience is for how long a connection that could not be accepted
	// counts: accepting is tried again within a second.
	acceptPatience = 5 * time.Second
)

// Host decides what becomes of requests. Its methods are called concurrently.
type Host interface {
	// Refuse says why a request is not served at all; "" when it is.
	Refuse(r *http.Request) string
	// Admit gives a place to the WebSocket that a request asks for. Its error says
	// why there is none now, for the client to try again.
	Admit(r *http.Request) (Place, error)
}

// Place is a WebSocket's place in a [Host].
type Place interface {
	// Shared is what the connection shares with others.
	Shared() *Shared
	// Open begins the session that the connection carries, which came with that.
	Open(c *Conn, from Arrival)
	// Fail gives the place back: there will be no connection.
	Fail()
}

// Arrival is what a connection came with.
type Arrival struct {
	Host  string // and port that the client has connected to, as it says; without HTTP: this side's address
	Token string // the bearer token of its request; "": there was none
}

// Config is what a Server needs.
type Config struct {
	Host       Host
	Page       http.Handler // served at /; nil: nothing is
	Path       string       // of WebSockets; with / at its end: and everything below
	Protocol   string       // the subprotocol that is agreed to; "": none
	Plain      int          // connections that are not WebSockets, at most; 0: any
	OnCrowded  func()       // called when one of these had to make room for another
	TLS        *tls.Config  // nil: connections are not encrypted
	OnUnshaken func()       // called when a TLS handshake failed; nil: nothing to do
	// Raw gives a place to a connection that does not begin as HTTP does, from an
	// address; false: it is closed. nil: there are none.
	Raw      func(from netip.Addr) (Place, bool)
	MaxToken int // bytes of a token; of a longer one as much is kept as shows that
	Logger   *slog.Logger
}

// Server accepts clients' connections: WebSockets at one path, and a page. Safe
// for concurrent use.
type Server struct {
	cfg      Config
	mux      *http.ServeMux
	upgrader *Upgrader
	server   *plain.Server

	mu       sync.Mutex
	failedAt time.Time // when accepting failed last
	failure  error
}

// NewServer returns a server that Serve starts.
func NewServer(cfg Config) *Server {
	s := &Server{
		cfg: cfg, mux: http.NewServeMux(),
		upgrader: NewUpgrader(cfg.Protocol, headTimeout), // the host has checked the Origin
	}
	s.mux.HandleFunc("GET "+cfg.Path, s.upgrade)
	if cfg.Page != nil {
		s.mux.Handle("/", cfg.Page)
	}
	s.server = plain.NewServer(s, plain.Bounds{
		Head: headTimeout, Request: RequestTimeout, Answer: answerTimeout, Idle: idleTimeout,
		HeadBytes: MaxHead, Connections: cfg.Plain, OnCrowded: cfg.OnCrowded,
	})
	s.server.ConnContext = connContext
	s.server.OnAcceptError = s.acceptFailed
	s.server.ErrorLog = log.New(complaints{s}, "", 0)
	return s
}

// Serve serves the connections of a listener until Close, and goes on after
// errors of accepting that pass.
func (s *Server) Serve(l net.Listener) error {
	all := Listener{Listener: l, TLS: s.cfg.TLS}
	if s.cfg.Raw != nil {
		all.raw, all.unshaken = s.openRaw, s.cfg.OnUnshaken
	}
	return s.server.Serve(all)
}

// Close ends Serve, with http.ErrServerClosed, and all connections that are not
// WebSockets.
func (s *Server) Close() error { return s.server.Close() }

// Plain is how many connections are not WebSockets.
func (s *Server) Plain() int { return s.server.Count() }

// complaints takes what net/http has to say about clients. Anybody can cause it,
// as often as they like.
type complaints struct{ *Server }

// Write implements io.Writer, for one line.
func (c complaints) Write(line []byte) (int, error) {
	line = bytes.TrimSpace(line)
	c.cfg.Logger.Debug(string(line))
	// Who connects and leaves again, as a balancer does to see that we are there,
	// has tried nothing.
	if bytes.Contains(line, []byte("TLS handshake error")) && !bytes.HasSuffix(line, []byte(": EOF")) && c.cfg.OnUnshaken != nil {
		c.cfg.OnUnshaken()
	}
	return len(line), nil
}

// acceptFailed takes note that a connection could not be accepted.
func (s *Server) acceptFailed(err error) {
	if errors.Is(err, net.ErrClosed) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failedAt, s.failure = time.Now(), err
}

// Failing is why connections cannot be accepted now; nil when they can.
func (s *Server) Failing(now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil || now.Sub(s.failedAt) > acceptPatience {
		return nil
	}
	return s.failure
}

// ServeHTTP serves what the host does not refuse; the rest gets 403 and a sentence
// for whoever runs the connector.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	markSecure(r)
	if why := s.cfg.Host.Refuse(r); why != "" {
		http.Error(w, why, http.StatusForbidden)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// upgrade makes a session's connection of a request. It returns at once: a plain
// goroutine with a small stack reads.
func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	// The library takes both. Of a body, a proxy may see another end.
	if !r.ProtoAtLeast(1, 1) || r.ContentLength != 0 {
		w.Header().Set("Connection", "close") // or the answer waits for the body
		http.Error(w, "an upgrade is a request of HTTP/1.1 without a body", http.StatusBadRequest)
		return
	}
	place, err := s.cfg.Host.Admit(r)
	if err != nil {
		w.Header().Set("Retry-After", "1")
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	conn, err := s.upgrader.Upgrade(w, r, place.Shared().Options())
	if err != nil {
		place.Fail()
		return // the upgrader has answered
	}
	place.Open(conn, Arrival{Host: hostOf(r), Token: bearer(r, s.cfg.MaxToken)})
}

// openRaw makes a session's connection of one that is not HTTP.
func (s *Server) openRaw(l Line, first []byte) {
	from, _ := netip.ParseAddrPort(l.RemoteAddr().String())
	place, ok := s.cfg.Raw(plain.Bare(from.Addr()))
	if !ok {
		_ = l.Close()
		return
	}
	place.Open(newRaw(l, first, place.Shared().Options()), Arrival{Host: l.LocalAddr().String()})
}

// hostOf is the host and port that a request names, which leaves out the usual one.
func hostOf(r *http.Request) string {
	if _, _, err := net.SplitHostPort(r.Host); err == nil {
		return strings.Clone(r.Host)
	}
	port := "80"
	if r.TLS != nil {
		port = "443"
	}
	return net.JoinHostPort(strings.Trim(r.Host, "[]"), port)
}

func bearer(r *http.Request, most int) string {
	given := r.Header["Authorization"]
	if len(given) != 1 {
		return "" // of two, a proxy may have checked the other one
	}
	// The scheme's case does not matter (RFC 9110, section 11.1).
	scheme, token, _ := strings.Cut(given[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	token = strings.TrimSpace(token)
	// What is too long is refused at hello, and never kept. The copy does not
	// hold on to the request.
	return strings.Clone(token[:min(len(token), most+1)])
}
