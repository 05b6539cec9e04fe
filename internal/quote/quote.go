// Package quote decides what of a setting an error may repeat. A password may
// be anywhere: in the wrong flag, or in a value that lost its form.
package quote

import (
	"errors"
	"io/fs"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// What names, addresses, numbers and paths are made of. A run of 32 characters
// or more may be a key; what follows a colon may be a password, unless it is a
// port.
var (
	harmless = regexp.MustCompile(`^-{0,2}[A-Za-z0-9._*/\[\]-]*(:[0-9]{1,5})?$`)
	long     = regexp.MustCompile(`[A-Za-z0-9]{32}`)
)

const maxQuoted = 128 // bytes

// Safe reports whether a value certainly holds no password.
func Safe(value string) bool {
	_, address := netip.ParseAddr(value)
	_, withPort := netip.ParseAddrPort(value)
	if address == nil || withPort == nil {
		return !strings.Contains(value, "%") // a zone is any text
	}
	return len(value) <= maxQuoted && harmless.MatchString(value) && !long.MatchString(value)
}

// Not is `, not "value"`, or nothing where the values of a flag may hold a
// password.
func Not(values ...string) string {
	// A comma in a password makes two values of one.
	if len(values) != 1 || !Safe(values[0]) {
		return ""
	}
	return ", not " + strconv.Quote(values[0])
}

// Named is a setting with its value, or alone where that may hold a password.
func Named(setting, value string) string {
	if value == "" || !Safe(value) {
		return setting
	}
	return strings.TrimSpace(setting + " " + value)
}

// Reason is why a file cannot be used, without its name.
func Reason(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
