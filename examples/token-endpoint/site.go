package main

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"encoding/json"
	"html/template"
	"log"
	"net/http"
	"slices"
	"time"

	"golang.org/x/time/rate"
)

// users are those who may log in. Yours are in your database.
var users = map[string]struct {
	name     string
	channels []string // that they may join beside those that everybody may
}{
	"ada": {"Ada Lovelace", []string{"team-red"}},
	"bob": {"Bob Kahn", []string{"team-red", "team-blue"}},
	"cyd": {"Cyd Charisse", nil},
}

//go:embed login.html
var loginText string
var loginPage = template.Must(template.New("login").Parse(loginText))

// site is the part of your site that people log in to and fetch tokens from.
type site struct {
	issuer   *issuer
	password [sha256.Size]byte
	origins  []string
	sessions sessions
	attempts map[string]*rate.Limiter // to log in, by user; "" is for unknown ones
}

func newSite(i *issuer, password string, origins []string) *site {
	s := &site{
		issuer: i, password: sha256.Sum256([]byte(password)), origins: origins,
		sessions: sessions{all: map[string]*session{}}, attempts: map[string]*rate.Limiter{"": rate.NewLimiter(1, 10)},
	}
	for name := range users {
		s.attempts[name] = rate.NewLimiter(rate.Every(10*time.Second), 5)
	}
	return s
}

func (s *site) routes() (http.Handler, error) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /auth/health", nothing)
	mux.HandleFunc("GET /auth/login", func(w http.ResponseWriter, r *http.Request) { s.show(w, r, http.StatusOK, "") })
	mux.HandleFunc("POST /auth/login", s.login)
	mux.HandleFunc("POST /auth/logout", s.logout)
	mux.HandleFunc("POST /auth/token", s.token)
	mux.HandleFunc("OPTIONS /auth/token", nothing)
	mux.HandleFunc("POST /auth/channel-token", s.channelToken)
	mux.HandleFunc("OPTIONS /auth/channel-token", nothing)
	// A page of another site must not log anybody in or fetch their tokens.
	guard := http.NewCrossOriginProtection()
	for _, origin := range s.origins {
		if err := guard.AddTrustedOrigin(origin); err != nil {
			return nil, err
		}
	}
	return s.headers(guard.Handler(mux)), nil
}

// nothing answers with headers alone.
func nothing(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }

// headers are those of every answer.
func (s *site) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
		h.Add("Vary", "Origin")
		if origin := r.Header.Get("Origin"); slices.Contains(s.origins, origin) {
			h.Set("Access-Control-Allow-Origin", origin)
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Allow-Headers", "Content-Type")
		}
		next.ServeHTTP(w, r)
	})
}

// show is the page to log in, and to log out.
func (s *site) show(w http.ResponseWriter, r *http.Request, status int, problem string) {
	shown := struct{ Name, Problem string }{Problem: problem}
	if found := s.sessions.of(r); found != nil {
		shown.Name = users[found.user].name
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	if err := loginPage.Execute(w, shown); err != nil {
		log.Printf("token-endpoint: the page is not sent: %v", err)
	}
}

// login compares the password. Yours are hashed, one a user; or somebody else
// does it all, by OpenID Connect.
func (s *site) login(w http.ResponseWriter, r *http.Request) {
	name, given := r.PostFormValue("user"), sha256.Sum256([]byte(r.PostFormValue("password")))
	_, known := users[name]
	attempts := s.attempts[""]
	if known {
		attempts = s.attempts[name]
	}
	same := subtle.ConstantTimeCompare(given[:], s.password[:]) == 1
	switch {
	case !attempts.Allow():
		w.Header().Set("Retry-After", "10")
		s.show(w, r, http.StatusTooManyRequests, "Too many attempts. Wait a little.")
	case !known || !same:
		// A name that is unknown may be a password in the wrong field: it is not logged.
		s.show(w, r, http.StatusUnauthorized, "There is no such user, or the password is another one.")
	case !s.sessions.begin(w, r, name):
		s.show(w, r, http.StatusServiceUnavailable, "Too many people are logged in.")
	default:
		log.Printf("token-endpoint: %s has logged in", name)
		http.Redirect(w, r, "/", http.StatusSeeOther)
	}
}

func (s *site) logout(w http.ResponseWriter, r *http.Request) {
	s.sessions.end(w, r)
	http.Redirect(w, r, "/auth/login", http.StatusSeeOther)
}

// token is what the page fetches for every connection, and when one runs out.
func (s *site) token(w http.ResponseWriter, r *http.Request) {
	if found := s.asks(w, r); found != nil {
		token, err := s.issuer.session(found.user, time.Now())
		give(w, token, err)
	}
}

// channelToken lets a user into one more channel, if your rules say so.
func (s *site) channelToken(w http.ResponseWriter, r *http.Request) {
	found := s.asks(w, r)
	if found == nil {
		return
	}
	var asked struct{ Channel string }
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		answer(w, http.StatusBadRequest, map[string]string{"error": `the body is not of the form {"channel": "team-red"}`})
		return
	}
	if !slices.Contains(users[found.user].channels, asked.Channel) {
		answer(w, http.StatusForbidden, map[string]string{"error": "you are not in this channel"})
		return
	}
	token, err := s.issuer.channel(found.user, asked.Channel, time.Now())
	give(w, token, err)
}

// asks returns the session of whoever may have a token now; it has answered
// everybody else.
func (s *site) asks(w http.ResponseWriter, r *http.Request) *session {
	found := s.sessions.of(r)
	switch {
	case found == nil:
		answer(w, http.StatusUnauthorized, map[string]string{"login": "/auth/login"})
	case !found.tokens.Allow():
		w.Header().Set("Retry-After", "1")
		answer(w, http.StatusTooManyRequests, map[string]string{"error": "too many tokens: wait a second"})
	default:
		return found
	}
	return nil
}

func give(w http.ResponseWriter, token string, err error) {
	if err != nil {
		log.Printf("token-endpoint: a token cannot be signed: %v", err)
		answer(w, http.StatusInternalServerError, map[string]string{"error": "the token cannot be signed"})
		return
	}
	answer(w, http.StatusOK, map[string]string{"token": token})
}

func answer(w http.ResponseWriter, status int, body map[string]string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a client that is gone needs no answer
}
