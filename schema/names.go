package schema

import (
	"errors"
	"fmt"
	"unicode/utf8"
)

// Lengths in bytes that the log accepts; a connector may be stricter.
const (
	MaxName = 128 // of a channel or a user
	MaxID   = 64  // of a client's message id
	MaxBody = 64 << 10
)

// ErrName describes what is wrong with a channel's or a user's name.
var ErrName = errors.New("must be 1 to 128 bytes of UTF-8 without control characters")

// CheckName reports whether s may name a channel or a user: 1 to 128 bytes of
// UTF-8, none of them in U+0000–U+001F or U+007F–U+009F. The error is ErrName.
func CheckName(s string) error {
	if len(s) == 0 || len(s) > MaxName || !utf8.ValidString(s) {
		return ErrName
	}
	for _, r := range s {
		if r < 0x20 || (r >= 0x7f && r <= 0x9f) {
			return ErrName
		}
	}
	return nil
}

func checkNames(names ...string) error {
	for _, n := range names {
		if err := CheckName(n); err != nil {
			return fmt.Errorf("name %q %w", n, err)
		}
	}
	return nil
}
