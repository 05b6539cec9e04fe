package connector

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

// Validate reports what is missing, and algorithms that the key cannot verify:
// their tokens could never be accepted.
func (a *Auth) Validate() error {
	if a.Key == nil || len(a.Algorithms) == 0 {
		return errors.New("authentication needs a key and the algorithms it may be used with")
	}
	fitting := a.Fitting()
	if len(fitting) == 0 {
		return fmt.Errorf("a key of kind %T cannot verify tokens: use Ed25519, ECDSA, RSA, or a secret of %d bytes or more", a.Key, minSecret)
	}
	for _, algorithm := range a.Algorithms {
		if !slices.Contains(fitting, algorithm) {
			return fmt.Errorf("--auth-algorithms: the key cannot verify all of them; it takes %s%s", strings.Join(fitting, ", "), quote.Not(a.Algorithms...))
		}
	}
	return nil
}

// minSecret is the least length of a secret in bytes (RFC 7518, section 3.2).
const minSecret = 32

// Fitting are the algorithms that the key can verify, the most common one
// first; none for a key that cannot be used.
func (a *Auth) Fitting() []string {
	switch key := a.Key.(type) {
	case []byte:
		return []string{"HS256", "HS384", "HS512"}[:min(3, max(0, (len(key)-16)/16))]
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
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	}
	return nil
}

// maxToken is the longest token that is looked at, in bytes as encoded.
const maxToken = 8 << 10

// identity is a user, for as long as the token lasts.
type identity struct {
	user    string
	expires time.Time // zero: never
}

// identify says who a session is: by its token, or, without authentication, as
// it says itself. bearer is the token of the upgrade request.
func (c *Config) identify(p rpc.HelloParams, bearer string) (identity, *rpc.Error) {
	if c.Auth == nil {
		if bad := checkNewName("user", p.User); bad != nil {
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
