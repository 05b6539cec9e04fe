package identity

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/parley-chat/parley/schema/strict"
)

const (
	maxSet  = 1 << 20 // bytes of a key set
	maxKeys = 64      // of it; a token without a kid tries them all

	minKeep     = 30 * time.Second
	maxKeep     = time.Hour
	defaultKeep = 5 * time.Minute
)

// ErrNoSet is of an answer that is something else, such as a page to log in: the
// address is probably that of something else, too.
var ErrNoSet = errors.New("its answer is not a key set (RFC 7517)")

// parseURL reads the URL of a key set. Who could change what it answers could
// be any user.
func parseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http":
		return nil, errors.New("it takes the address of a key set, of the form https://id.example.com/jwks.json")
	case u.User != nil:
		return nil, errors.New("it takes an address without user and password: a key set is public")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return nil, errors.New("it takes https://, and http:// only for this machine (localhost, 127.0.0.1): on the way anybody could exchange the keys")
	}
	return u, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// parseSet reads the keys of a set that can verify tokens. Others are ignored,
// as RFC 7517 asks for (section 5): of unknown kinds, damaged, private, for
// encryption, and secrets, which nobody publishes.
func parseSet(text []byte) ([]Key, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if strict.Unmarshal(text, &set) != nil || set.Keys == nil {
		return nil, ErrNoSet
	}
	var keys []Key
	for _, raw := range set.Keys {
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		}
	}
	switch {
	case len(keys) == 0:
		return nil, errors.New("its key set has no public key that can verify tokens: Ed25519, ECDSA, or RSA of 2048 bits or more")
	case len(keys) > maxKeys:
		return nil, errors.New("its key set has more than " + strconv.Itoa(maxKeys) + " keys")
	}
	return keys, nil
}

func parseKey(raw json.RawMessage) (k Key, ok bool) {
	var key jose.JSONWebKey
	var more struct {
		Operations []string `json:"key_ops"`
	}
	if json.Unmarshal(raw, &key) != nil || json.Unmarshal(raw, &more) != nil {
		return Key{}, false
	}
	if key.Use != "" && key.Use != "sig" || more.Operations != nil && !slices.Contains(more.Operations, "verify") {
		return Key{}, false
	}
	if _, secret := key.Key.([]byte); secret {
		return Key{}, false
	}
	k = Key{ID: key.KeyID, Material: key.Key, Algorithm: key.Algorithm}
	return k, len(k.Fitting()) > 0
}

// keepFor is for how long a key set counts as fresh, by the headers that it came
// with.
func keepFor(h http.Header) time.Duration {
	keep := defaultKeep
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch strings.ToLower(name) {
		case "no-store", "no-cache":
			return minKeep
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if err != nil {
				continue
			}
			keep = time.Duration(seconds) * time.Second
			if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
				keep -= time.Duration(age) * time.Second
			}
		}
	}
	return min(max(keep, minKeep), maxKeep)
}
