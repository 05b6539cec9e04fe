package identity

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/parley-chat/parley/schema/strict"
)

// MaxToken is the longest token that is looked at, in bytes as encoded.
const MaxToken = 8 << 10

var (
	// ErrLater is of a token whose key may be fetched later.
	ErrLater = errors.New("the key of the token is not known yet")

	errNoToken   = errors.New("the token is not a signed JWT")
	errSignature = errors.New("the token's signature is not valid")
	errUnknown   = errors.New("the token is signed with a key that is not known here")
)

// Verifier says who tokens are for. Its methods may be called concurrently.
type Verifier struct {
	auth   Auth
	remote *Remote // nil: the keys are those of auth
}

// NewVerifier is a verifier by auth, which is valid. Its keys are those of
// remote, unless that is nil.
func NewVerifier(auth Auth, remote *Remote) *Verifier { return &Verifier{auth, remote} }

// Verify says who a token is for. Its errors quote nothing of it. It may wait
// for keys to be fetched, until ctx ends.
func (v *Verifier) Verify(ctx context.Context, token string) (User, error) {
	payload, err := v.payload(ctx, token)
	if err != nil {
		return User{}, err
	}
	return v.auth.read(payload, time.Now())
}

// VerifyChannel says what a channel token grants a user in a channel. Its errors
// quote nothing of it. It does not wait: where keys have to be fetched first,
// that begins, and the error is ErrLater.
func (v *Verifier) VerifyChannel(token, user, channel string) (ChannelToken, error) {
	noWait, cancel := context.WithCancel(context.Background())
	cancel()
	payload, err := v.payload(noWait, token)
	if err != nil {
		return ChannelToken{}, err
	}
	return v.auth.readChannel(payload, user, channel, time.Now())
}

// payload is what a token says, once it is known who signed it.
func (v *Verifier) payload(ctx context.Context, token string) ([]byte, error) {
	if len(token) > MaxToken {
		return nil, fmt.Errorf("a token has at most %d bytes", MaxToken)
	}
	t, err := parse(token)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(v.auth.Algorithms, t.Algorithm) {
		return nil, errors.New("the token is signed with another algorithm than " + strings.Join(v.auth.Algorithms, ", "))
	}
	if v.remote == nil {
		err = t.check(v.auth.Keys)
	} else {
		err = v.remote.check(ctx, t)
	}
	return t.payload, err
}

// header is what counts of a token's header (RFC 7515).
type header struct {
	Algorithm string          `json:"alg"`
	Key       string          `json:"kid"`
	Critical  json.RawMessage `json:"crit"` // extensions that must be understood
	Encoded   json.RawMessage `json:"b64"`  // the one that changes what is signed
}

// token is one that was not verified yet.
type token struct {
	header
	signed             string
	payload, signature []byte
}

func parse(text string) (*token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 || strings.ContainsAny(text, "\r\n") { // which base64 would skip
		return nil, errNoToken
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, errNoToken
		}
	}
	t := &token{signed: parts[0] + "." + parts[1], payload: decoded[1], signature: decoded[2]}
	if err := strict.Unmarshal(decoded[0], &t.header); err != nil {
		return nil, fmt.Errorf("the token's header cannot be read: %w", err)
	}
	if t.Critical != nil || t.Encoded != nil {
		return nil, errors.New("the token needs an extension that is not supported")
	}
	return t, nil
}

// check reports an error unless one of the keys signed the token: those of its
// kid; without it, or where no key has it, those that are for any.
func (t *token) check(keys []Key) error {
	chosen, known := t.choose(keys)
	for _, k := range chosen {
		if !k.fits(t.Algorithm) {
			continue
		}
		if method := jwt.GetSigningMethod(t.Algorithm); method != nil && method.Verify(t.signed, t.signature, k.Material) == nil {
			return nil
		}
	}
	if !known {
		return errUnknown
	}
	return errSignature
}

// choose returns the keys that may have signed the token; known is whether more
// keys would change that.
func (t *token) choose(keys []Key) (chosen []Key, known bool) {
	if t.Key == "" {
		return keys, true
	}
	named := func(id string) (all []Key) {
		for _, k := range keys {
			if k.ID == id {
				all = append(all, k)
			}
		}
		return all
	}
	if chosen = named(t.Key); chosen != nil {
		return chosen, true
	}
	return named(""), false
}
