package main

import (
	"crypto/rand"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	cookieName  = "session"
	stay        = 12 * time.Hour // logged in
	maxSessions = 10000
)

// sessions are the logged-in browsers. They are in memory: a restart logs
// everybody out, and two of these processes would not know each other's. Use
// the sessions of your framework instead.
type sessions struct {
	mu  sync.Mutex
	all map[string]*session
}

type session struct {
	user   string
	until  time.Time
	tokens *rate.Limiter
}

// of returns the session of a request, or nil.
func (s *sessions) of(r *http.Request) *session {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found := s.all[cookie.Value]
	if found == nil || time.Now().After(found.until) {
		return nil
	}
	return found
}

// begin gives a browser a new session, whatever it had before, and reports
// false where there are too many.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(r)
	now := time.Now()
	for id, old := range s.all {
		if now.After(old.until) {
			delete(s.all, id)
		}
	}
	if len(s.all) >= maxSessions {
		return false
	}
	id := rand.Text()
	s.all[id] = &session{user: user, until: now.Add(stay), tokens: rate.NewLimiter(1, 20)}
	http.SetCookie(w, cookie(id, int(stay.Seconds())))
	return true
}

// end forgets the session of a request.
func (s *sessions) end(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forget(r)
	http.SetCookie(w, cookie("", -1))
}

// forget is called with the lock.
func (s *sessions) forget(r *http.Request) {
	if old, err := r.Cookie(cookieName); err == nil {
		delete(s.all, old.Value)
	}
}

// cookie is out of reach for scripts, for other sites, for unencrypted
// connections but those to this machine, and for the chat.
func cookie(id string, seconds int) *http.Cookie {
	return &http.Cookie{
		Name: cookieName, Value: id, Path: "/auth/", MaxAge: seconds,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode,
	}
}
