package cli

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/parley-chat/parley/connector/identity"
	"github.com/parley-chat/parley/internal/quote"
)

// authFlags are which tokens say who a client is.
type authFlags struct {
	AuthKey        []string       `placeholder:"[KID=]FILE,..." help:"Public key (PEM) that tokens are verified with; repeatable. A token that names a kid is verified with the key of that KID, else with those that have none. Default: no authentication, users are who they say they are."`
	AuthSecret     string         `placeholder:"FILE" help:"Secret that tokens are signed and verified with, in place of public keys: 32 bytes or more. Default: none."`
	AuthJWKS       string         `name:"auth-jwks" placeholder:"URL" help:"Key set (RFC 7517) of whoever issues tokens, in place of keys in files; https://, or http:// on this machine. Default: none."`
	AuthAlgorithms []string       `placeholder:"ALG,..." help:"Algorithms of tokens that are accepted. Default: by the kinds of keys EdDSA, ES256, ES384, ES512, RS256 or HS256, with --auth-jwks all of these but HS256."`
	AuthIssuer     string         `placeholder:"NAME" help:"Issuer that tokens must name (iss). Default: any."`
	AuthAudience   string         `placeholder:"NAME" help:"Audience that tokens must name (aud), or none for any. Default: any; --auth-jwks needs one."`
	AuthUserClaim  string         `placeholder:"NAME" help:"Claim of a token that names the user. Default: sub."`
	AuthMaxAge     *time.Duration `placeholder:"TIME" help:"Longest time from when a token was issued (iat, which it needs then) to its expiry; 0 for no bound. Default: 720h, which is 30 days."`
}

const defaultMaxAge = 30 * 24 * time.Hour

// auth loads what tokens are verified with; nil where nothing is given.
func (f *authFlags) auth() (*identity.Auth, error) {
	sources := 0
	for _, given := range []bool{len(f.AuthKey) > 0, f.AuthSecret != "", f.AuthJWKS != ""} {
		if given {
			sources++
		}
	}
	switch {
	case sources > 1:
		return nil, errors.New("tokens are verified with --auth-key, --auth-secret or --auth-jwks: keep one of them")
	case sources == 0 && (len(f.AuthAlgorithms) > 0 || f.AuthIssuer != "" || f.AuthAudience != "" || f.AuthUserClaim != "" || f.AuthMaxAge != nil):
		return nil, errors.New("--auth-algorithms, --auth-issuer, --auth-audience, --auth-user-claim and --auth-max-age are about tokens, which take --auth-key, --auth-secret or --auth-jwks")
	case sources == 0:
		return nil, nil
	}
	auth := &identity.Auth{
		JWKS: f.AuthJWKS, Algorithms: f.AuthAlgorithms, Issuer: f.AuthIssuer, Audience: f.AuthAudience,
		UserClaim: f.AuthUserClaim, MaxAge: defaultMaxAge,
	}
	if f.AuthMaxAge != nil {
		auth.MaxAge = *f.AuthMaxAge
	}
	var err error
	if auth.Keys, err = f.keys(); err != nil {
		return nil, err
	}
	if len(auth.Algorithms) == 0 {
		auth.Algorithms = auth.DefaultAlgorithms()
	}
	return auth, auth.Validate()
}

// keys loads the keys that are in files.
func (f *authFlags) keys() (keys []identity.Key, err error) {
	if f.AuthSecret != "" {
		secret, err := loadSecret(f.AuthSecret)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", quote.Named("--auth-secret", f.AuthSecret), err)
		}
		return []identity.Key{{Material: secret}}, nil
	}
	for _, given := range f.AuthKey {
		id, path := splitKey(given)
		key, err := loadPublicKey(path)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", quote.Named("--auth-key", path), err)
		}
		keys = append(keys, identity.Key{ID: id, Material: key})
	}
	return keys, nil
}

// splitKey reads KID=FILE. A file whose own name has a = is written ./FILE.
func splitKey(given string) (id, path string) {
	id, path, found := strings.Cut(given, "=")
	if !found || strings.ContainsAny(id, `/\`) {
		return "", given
	}
	return id, path
}
