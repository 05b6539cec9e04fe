package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/parley-chat/parley/internal/rules"
)

// moment is a time that an operator gives; the zero value is none.
type moment struct{ time.Time }

// isZero is not called IsZero, by which the parser would take it for not set.
func (m moment) isZero() bool { return m.Time.IsZero() }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	t, err := time.Parse(time.RFC3339, string(text))
	if seconds, bad := strconv.ParseInt(string(text), 10, 64); bad == nil {
		t, err = time.Unix(seconds, 0), nil
	}
	if err != nil || t.Unix() <= 0 || t.Year() > 9999 {
		return takes("a time such as 2026-01-31T18:00:00Z, or seconds since 1970")
	}
	m.Time = t
	return nil
}

// tokenID is the jti of a token; "" for none.
type tokenID string

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *tokenID) UnmarshalText(text []byte) error {
	s := string(text)
	switch {
	case strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") == 2:
		return takes("the jti that is in a token, and this is a whole token")
	case s == "" || len(s) > rules.MaxTokenID || !utf8.ValidString(s):
		return takes(fmt.Sprintf("the jti of a token: 1 to %d bytes of UTF-8", rules.MaxTokenID))
	}
	*id = tokenID(s)
	return nil
}

// reason is why an operator does something; "" for none.
type reason string

// UnmarshalText implements encoding.TextUnmarshaler.
func (r *reason) UnmarshalText(text []byte) error {
	if len(text) > rules.MaxReason || !utf8.Valid(text) || strings.ContainsFunc(string(text), unicode.IsControl) {
		return takes(fmt.Sprintf("text of up to %d bytes without control characters", rules.MaxReason))
	}
	*r = reason(text)
	return nil
}
