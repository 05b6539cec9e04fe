// Package identity says who a client is, by its token: a JWT (RFC 7519, RFC
// 8725). What a token says and whether that counts is decided apart from where
// keys come from: claims.go and keyset.go do no I/O, remote.go fetches.
package identity

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/quote"
)

// Auth says which tokens a connector accepts.
type Auth struct {
	// Keys verify signatures; JWKS is the URL of a key set (RFC 7517) that does
	// in their place.
	Keys []Key
	JWKS string
	// Algorithms that are accepted, such as "HS256"; never empty.
	Algorithms []string
	// Issuer must be the token's when it is set.
	Issuer string
	// Audience must be among the token's unless it is "" or AnyAudience. With
	// JWKS it is not "": one issuer's keys sign tokens for many services.
	Audience string
	// UserClaim names the claim that holds the user; "" for sub.
	UserClaim string
	// MaxAge bounds the time between a token's iat and its exp, and makes iat
	// required; 0 for no bound.
	MaxAge time.Duration
	// Backend says that tokens are those of backends: what they grant is of the API.
	Backend bool
}

// AnyAudience as the audience accepts tokens for any, and those for none.
const AnyAudience = "none"

// Key is one that verifies signatures.
type Key struct {
	// ID is the kid of the tokens that it verifies; "" for those of any.
	ID string
	// Material is a []byte for the HS algorithms, else a public key of
	// crypto/rsa, crypto/ecdsa or crypto/ed25519.
	Material any
	// Algorithm is the one that it may be used with; "" for any that fits.
	Algorithm string
}

const (
	minSecret = 32 // bytes, the least length of a secret (RFC 7518, section 3.2)
	minRSA    = 2048
	maxRSA    = 16384 // bits; verifying takes too long beyond
)

// Fitting are the algorithms that the key can verify, the most common one
// first; none for a key that cannot be used.
func (k Key) Fitting() []string {
	switch key := k.Material.(type) {
	case []byte:
		return []string{"HS256", "HS384", "HS512"}[:min(3, max(0, (len(key)-minSecret/2)/16))]
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	case *ecdsa.PublicKey:
		switch key.Params().BitSize {
		case 256:
			return []string{"ES256"}
		case 384:
			return []string{"ES384"}
		case 521:
			return []string{"ES512"}
		}
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits >= minRSA && bits <= maxRSA {
			return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
		}
	}
	return nil
}

// fits reports whether the key may verify a signature of an algorithm.
func (k Key) fits(algorithm string) bool {
	return (k.Algorithm == "" || k.Algorithm == algorithm) && slices.Contains(k.Fitting(), algorithm)
}

// remoteAlgorithms are those of public keys: a secret that a URL serves is none.
var remoteAlgorithms = []string{"EdDSA", "ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}

// DefaultAlgorithms are the most common ones for the keys.
func (a *Auth) DefaultAlgorithms() (all []string) {
	if a.JWKS != "" {
		return slices.Clone(remoteAlgorithms[:5])
	}
	for _, k := range a.Keys {
		if fitting := k.Fitting(); len(fitting) > 0 && !slices.Contains(all, fitting[0]) {
			all = append(all, fitting[0])
		}
	}
	return all
}

// Validate reports what is missing, and settings with which no token could be
// accepted.
func (a *Auth) Validate() error {
	switch {
	case len(a.Keys) > 0 && a.JWKS != "":
		return errors.New("tokens are verified with keys from files or with those of --auth-jwks: keep one")
	case a.JWKS != "" && a.Audience == "":
		return errors.New("--auth-jwks needs --auth-audience: the same keys sign tokens for other services; `--auth-audience none` accepts these too")
	case a.MaxAge < 0:
		return fmt.Errorf("--auth-max-age is %v: it takes a time from 0 on", a.MaxAge)
	}
	if a.JWKS != "" {
		if _, err := parseURL(a.JWKS); err != nil {
			return fmt.Errorf("--auth-jwks: %w", err)
		}
		return fitsAll(a.Algorithms, remoteAlgorithms)
	}
	return a.validateKeys()
}

func (a *Auth) validateKeys() error {
	if len(a.Keys) == 0 {
		return errors.New("authentication needs a key")
	}
	var all, ids []string
	for _, k := range a.Keys {
		fitting := k.Fitting()
		if len(fitting) == 0 {
			return fmt.Errorf("a key of kind %T cannot verify tokens: use Ed25519, ECDSA, RSA of %d to %d bits, or a secret of %d bytes or more", k.Material, minRSA, maxRSA, minSecret)
		}
		if k.ID != "" && slices.Contains(ids, k.ID) {
			return errors.New("--auth-key: two keys have the same kid: give each its own")
		}
		all, ids = append(all, fitting...), append(ids, k.ID)
	}
	if err := fitsAll(a.Algorithms, all); err != nil {
		return err
	}
	for _, k := range a.Keys {
		if !slices.ContainsFunc(a.Algorithms, k.fits) {
			return fmt.Errorf("--auth-algorithms: one of the keys takes none of them: add one of %s", strings.Join(k.Fitting(), ", "))
		}
	}
	return nil
}

// fitsAll refuses algorithms that are not among those that can be verified.
func fitsAll(algorithms, fitting []string) error {
	if len(algorithms) == 0 {
		return errors.New("authentication needs the algorithms that tokens may be signed with")
	}
	for _, algorithm := range algorithms {
		if !slices.Contains(fitting, algorithm) {
			takes := slices.Compact(slices.Sorted(slices.Values(fitting)))
			return fmt.Errorf("--auth-algorithms: the keys cannot verify all of them; they take %s%s", strings.Join(takes, ", "), quote.Not(algorithms...))
		}
	}
	return nil
}
