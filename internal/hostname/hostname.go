// Package hostname reads the names of hosts in settings.
package hostname

import (
	"errors"
	"net/netip"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// lookup is what browsers make of a name beyond ASCII. Names in containers have
// underscores.
var lookup = idna.New(idna.MapForLookup(), idna.BidiRule(),
	idna.Transitional(false), idna.StrictDomainName(false), idna.CheckHyphens(false), idna.VerifyDNSLength(true))

var errName = errors.New("not the name or address of a host")

// Canonical is a name or address in the one form that browsers send: small
// letters, punycode, without the dot that ends a full name and without the
// brackets of IPv6.
func Canonical(text string) (string, error) {
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]")); err == nil && bracketed(text) <= a.BitLen()/128 {
		if a.Zone() != "" {
			return "", errName
		}
		return a.Unmap().String(), nil
	}
	name, err := lookup.ToASCII(strings.TrimSuffix(text, "."))
	if err != nil || !utf8.ValidString(text) || name == "" || len(name) > 253 || strings.ContainsFunc(name, notInName) {
		return "", errName
	}
	labels := strings.Split(name, ".")
	for _, label := range labels {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return "", errName
		}
	}
	// Browsers read a name that ends in a number as an address.
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return "", errName
	}
	return name, nil
}

// bracketed is 0 for a text without brackets, 1 for one in brackets, 2 for
// neither.
func bracketed(text string) int {
	open, closed := strings.HasPrefix(text, "["), strings.HasSuffix(text, "]")
	switch {
	case open && closed:
		return 1
	case open || closed:
		return 2
	}
	return 0
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}
