package connector

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/strict"
)

const (
	// clockLeeway is by how much the clocks of whoever issues tokens and of this
	// machine may differ.
	clockLeeway = 30 * time.Second
	// maxTime is the end of the year 9999 in Unix seconds. A time beyond it is
	// one of another unit.
	maxTime = 253_402_300_799
)

// tokenHeader is what counts of a token's header (RFC 7515).
type tokenHeader struct {
	Algorithm string          `json:"alg"`
	Critical  json.RawMessage `json:"crit"` // extensions that must be understood
	Encoded   json.RawMessage `json:"b64"`  // the one that changes what is signed
}

// claims are those of a token that count (RFC 7519).
type claims struct {
	Subject   string          `json:"sub"`
	Expires   json.RawMessage `json:"exp"`
	NotBefore json.RawMessage `json:"nbf"`
	IssuedAt  json.RawMessage `json:"iat"`
	Audience  json.RawMessage `json:"aud"`
}

// verify reads a token. Its errors quote nothing of it.
func (a *Auth) verify(token string) (identity, error) {
	if len(token) > maxToken {
		return identity{}, fmt.Errorf("a token has at most %d bytes", maxToken)
	}
	payload, err := a.signed(token)
	if err != nil {
		return identity{}, err
	}
	var c claims
	if err := strict.Unmarshal(payload, &c); err != nil {
		return identity{}, fmt.Errorf("the token's claims cannot be read: %w", err)
	}
	expires, err := c.inTime(time.Now())
	if err != nil {
		return identity{}, err
	}
	if err := a.isFor(c.Audience); err != nil {
		return identity{}, err
	}
	if err := schema.CheckNewName(c.Subject); err != nil {
		return identity{}, fmt.Errorf("the token's subject %w", err)
	}
	return identity{c.Subject, expires}, nil
}

var errNoToken = errors.New("the token is not a signed JWT")

// signed is the payload of a token whose signature is the key's.
func (a *Auth) signed(token string) (payload []byte, err error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 || strings.ContainsAny(token, "\r\n") { // which base64 would skip
		return nil, errNoToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, errNoToken
		}
	}
	var h tokenHeader
	if err := strict.Unmarshal(decoded[0], &h); err != nil {
		return nil, fmt.Errorf("the token's header cannot be read: %w", err)
	}
	if h.Critical != nil || h.Encoded != nil {
		return nil, errors.New("the token needs an extension that is not supported")
	}
	if !slices.Contains(a.Algorithms, h.Algorithm) {
		return nil, errors.New("the token is signed with another algorithm than " + strings.Join(a.Algorithms, ", "))
	}
	method := jwt.GetSigningMethod(h.Algorithm)
	if method == nil || method.Verify(parts[0]+"."+parts[1], decoded[2], a.Key) != nil {
		return nil, errors.New("the token's signature is not valid")
	}
	return decoded[1], nil
}

// inTime checks the times of a token and returns when it expires.
func (c *claims) inTime(now time.Time) (expires time.Time, err error) {
	if c.Expires == nil {
		return time.Time{}, errors.New("the token has no expiry")
	}
	var times [3]time.Time
	for i, claim := range []struct {
		name string
		raw  json.RawMessage
	}{{"exp", c.Expires}, {"nbf", c.NotBefore}, {"iat", c.IssuedAt}} {
		if claim.raw == nil {
			continue
		}
		if times[i], err = timeOf(claim.raw); err != nil {
			return time.Time{}, fmt.Errorf("the token's %s %w", claim.name, err)
		}
	}
	switch expires = times[0]; {
	case !now.Before(expires):
		return time.Time{}, errors.New("the token has expired")
	case times[1].After(now.Add(clockLeeway)):
		return time.Time{}, errors.New("the token is not valid yet")
	}
	return expires, nil
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

// isFor reports an error when the audience is not among a token's.
func (a *Auth) isFor(raw json.RawMessage) error {
	if a.Audience == "" {
		return nil
	}
	var one string
	var many []string
	if raw != nil && strict.Unmarshal(raw, &one) != nil {
		if err := strict.Unmarshal(raw, &many); err != nil {
			return fmt.Errorf("the token's audience cannot be read: %w", err)
		}
	}
	if one != a.Audience && !slices.Contains(many, a.Audience) {
		return errors.New("the token is for another audience")
	}
	return nil
}
