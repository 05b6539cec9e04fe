package connector

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/rpc"
)

// Auth says which tokens a connector accepts: JWTs (RFC 7519) with an expiry,
// whose subject is the user.
type Auth struct {
	// Key verifies the signature: a []byte for the HS algorithms, else a
	// public key of crypto/rsa, crypto/ecdsa or crypto/ed25519.
	Key any
	// Algorithms that are accepted, such as "HS256"; never empty.
	Algorithms []string
	// Audience must be among the token's when it is set.
	Audience string
}

// Validate reports what is missing.
func (a *Auth) Validate() error {
	if a.Key == nil || len(a.Algorithms) == 0 {
		return errors.New("authentication needs a key and the algorithms it may be used with")
	}
	return nil
}

// identity is a user, for as long as the token lasts.
type identity struct {
	user    string
	expires time.Time // zero: never
}

func (a *Auth) verify(token string) (identity, error) {
	options := []jwt.ParserOption{jwt.WithValidMethods(a.Algorithms), jwt.WithExpirationRequired()}
	if a.Audience != "" {
		options = append(options, jwt.WithAudience(a.Audience))
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return a.Key, nil }, options...)
	if err != nil {
		return identity{}, err
	}
	if err := schema.CheckName(claims.Subject); err != nil {
		return identity{}, fmt.Errorf("the token's subject %w", err)
	}
	return identity{claims.Subject, claims.ExpiresAt.Time}, nil
}

// identify says who a session is: by its token, or, without authentication, as
// it says itself. bearer is the token of the upgrade request.
func (c *Config) identify(p rpc.HelloParams, bearer string) (identity, *rpc.Error) {
	if c.Auth == nil {
		if bad := checkName("user", p.User); bad != nil {
			return identity{}, bad
		}
		return identity{user: p.User}, nil
	}
	token := p.Token
	if token == "" {
		token = bearer
	}
	who, err := c.Auth.verify(token)
	if err != nil {
		return identity{}, &rpc.Error{Code: rpc.CodeUnauthenticated, Message: "unauthenticated: " + err.Error()}
	}
	return who, nil
}
