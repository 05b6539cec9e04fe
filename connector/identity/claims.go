package identity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/strict"
)

const (
	// leeway is by how much the clocks of whoever issues tokens and of this
	// machine may differ.
	leeway = 30 * time.Second
	// maxTime is the end of the year 9999 in Unix seconds. A time beyond it is
	// one of another unit.
	maxTime = 253_402_300_799
	maxInfo = 512 // bytes of what a token tells of its user
	maxID   = 256 // bytes of a token's id
)

// Stamp is what tells one token of a user from another.
type Stamp struct {
	ID      string    // its jti; "" where it has none
	Issued  time.Time // the Unix epoch where it does not say
	Expires time.Time // zero: never
}

// User is who a token is for, for as long as it lasts.
type User struct {
	Name string
	Stamp
	// Info is what the token tells of the user, as JSON; nil for nothing.
	Info json.RawMessage
	// Grants are what the token says that the user may do.
	Grants grants.List
}

// ErrExpired is of a token with which nothing is wrong but that it has run out.
var ErrExpired = errors.New("the token has expired")

// claims are those of a token. Their names are compared byte for byte.
type claims map[string]json.RawMessage

// read says who the claims of a verified token are for. Its errors quote
// nothing of them.
func (a *Auth) read(payload []byte, now time.Time) (u User, err error) {
	var c claims
	if err := strict.Unmarshal(payload, &c); err != nil {
		return User{}, fmt.Errorf("the token's claims cannot be read: %w", err)
	}
	if u.Name, u.Stamp, err = a.about(c, now); err != nil {
		return User{}, err
	}
	if _, ok := c["channel"]; ok {
		return User{}, errors.New("the token is for a channel, not for hello")
	}
	if u.Info, u.Grants, err = c.parley(a.Backend); err != nil {
		return User{}, err
	}
	if !now.Before(u.Expires) { // last: nothing else may be wrong
		return User{}, ErrExpired
	}
	return u, nil
}

// about is what tokens of both kinds say. It does not mind one that has run out.
func (a *Auth) about(c claims, now time.Time) (user string, s Stamp, err error) {
	if s.Issued, s.Expires, err = c.times(now, a.MaxAge); err != nil {
		return "", s, err
	}
	if err := a.isFor(c); err != nil {
		return "", s, err
	}
	if user, err = c.user(a.UserClaim); err != nil {
		return "", s, err
	}
	if raw := c["jti"]; raw != nil && (strict.Unmarshal(raw, &s.ID) != nil || len(s.ID) > maxID) {
		return "", s, fmt.Errorf("the token's jti must be a string of at most %d bytes", maxID)
	}
	return user, s, nil
}

// times checks when the token was issued and for how long.
func (c claims) times(now time.Time, maxAge time.Duration) (issuedAt, expires time.Time, err error) {
	if c["exp"] == nil {
		return issuedAt, expires, errors.New("the token has no expiry")
	}
	at := map[string]time.Time{}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if c[name] == nil {
			continue
		}
		if at[name], err = timeOf(c[name]); err != nil {
			return issuedAt, expires, fmt.Errorf("the token's %s %w", name, err)
		}
	}
	issuedAt, issued := at["iat"]
	if !issued {
		issuedAt = time.Unix(0, 0)
	}
	switch latest := now.Add(leeway); {
	case at["nbf"].After(latest):
		err = errors.New("the token is not valid yet")
	case issuedAt.After(latest):
		err = errors.New("the token was issued in the future: compare the clocks of its issuer and of this server")
	case maxAge > 0 && !issued:
		err = errors.New("the token does not say when it was issued: it needs iat")
	case maxAge > 0 && at["exp"].Sub(issuedAt) > maxAge:
		err = fmt.Errorf("the token lasts for longer than %v after its iat", maxAge)
	}
	return issuedAt, at["exp"], err
}

// timeOf reads seconds since the Unix epoch, with a fraction or without.
func timeOf(raw json.RawMessage) (time.Time, error) {
	seconds, err := strconv.ParseFloat(string(raw), 64)
	if err != nil || seconds < 0 || seconds > maxTime {
		return time.Time{}, errors.New("is not a number of seconds since 1970")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), nil
}

// isFor reports an error when the token is another issuer's, or for another
// audience.
func (a *Auth) isFor(c claims) error {
	if a.Issuer != "" {
		var issuer string
		if c["iss"] == nil || strict.Unmarshal(c["iss"], &issuer) != nil || issuer != a.Issuer {
			return errors.New("the token is of another issuer")
		}
	}
	if a.Audience == "" || a.Audience == AnyAudience {
		return nil
	}
	var one string
	var many []string
	if raw := c["aud"]; raw != nil && strict.Unmarshal(raw, &one) != nil {
		if err := strict.Unmarshal(raw, &many); err != nil {
			return fmt.Errorf("the token's audience cannot be read: %w", err)
		}
	}
	if one != a.Audience && !slices.Contains(many, a.Audience) {
		return errors.New("the token is for another audience")
	}
	return nil
}

// user is the name that a claim holds.
func (c claims) user(claim string) (name string, err error) {
	says := "the token's " + claim
	if claim == "" {
		claim, says = "sub", "the token's subject"
	}
	if raw := c[claim]; raw != nil {
		if err := strict.Unmarshal(raw, &name); err != nil {
			return "", fmt.Errorf("%s cannot be read: %w", says, err)
		}
	}
	if err := schema.CheckNewName(name); err != nil {
		return "", fmt.Errorf("%s %w", says, err)
	}
	return name, nil
}

// parley is what the token tells of its user, and what it grants them, or a backend.
func (c claims) parley(backend bool) (info json.RawMessage, granted grants.List, err error) {
	raw := c["parley"]
	if raw == nil {
		return nil, granted, nil
	}
	var ours claims
	if err := strict.Unmarshal(raw, &ours); err != nil || ours == nil {
		return nil, granted, errors.New("the token's claim parley must be an object")
	}
	if info, err = compactInfo(ours["info"]); err != nil {
		return nil, granted, err
	}
	parse := grants.ParseClaim
	if backend {
		parse = grants.ParseBackendClaim
	}
	if granted, err = parse(ours["grants"]); err != nil {
		return nil, granted, fmt.Errorf("the token's grants cannot be used: %w", err)
	}
	return info, granted, nil
}

func compactInfo(info json.RawMessage) (json.RawMessage, error) {
	if info == nil || string(info) == "null" {
		return nil, nil
	}
	var text bytes.Buffer
	if err := json.Compact(&text, info); err != nil {
		return nil, errors.New("the token's parley.info is not JSON")
	}
	if text.Len() > maxInfo {
		return nil, fmt.Errorf("the token's parley.info has more than %d bytes", maxInfo)
	}
	return text.Bytes(), nil
}
