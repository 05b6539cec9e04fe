package schema

import (
	"errors"
	"strings"
	"unicode"
)

// ErrNewName tells what is wrong with a name that the log has not seen yet.
var ErrNewName = errors.New("must not hold invisible, zero-width or direction-changing characters, nor begin or end with white space")

// CheckNewName is CheckName for names that the log need not have already. It
// refuses those, too, that can pass for another name. The error is ErrName or
// ErrNewName.
func CheckNewName(s string) error {
	if err := CheckName(s); err != nil {
		return err
	}
	if s != strings.TrimFunc(s, isSpace) {
		return ErrNewName
	}
	before := ' '
	for _, r := range s {
		if unicode.Is(unicode.Bidi_Control, r) || isIgnorable(r) && !mayFollow(before, r) {
			return ErrNewName
		}
		before = r
	}
	return nil
}

// Characters that are ignorable, and that emoji and Indic scripts are written
// with.
const (
	nonJoiner    = '\u200c'
	joiner       = '\u200d'
	textStyle    = '\ufe0e'
	emojiStyle   = '\ufe0f'
	annotation   = '\ufff9' // to annotationEnd: format characters that are shown
	annotationTo = '\ufffb'
	egyptian     = '\U00013430'
	egyptianTo   = '\U00013440'
)

// mayFollow reports whether an ignorable character has a meaning after another
// one: a joiner or a style right after what is visible, and a joiner after a
// style, as in the emoji of several.
func mayFollow(before, r rune) bool {
	switch r {
	case nonJoiner, joiner:
		return isVisible(before) || before == textStyle || before == emojiStyle
	case textStyle, emojiStyle:
		return isVisible(before)
	}
	return false
}

func isVisible(r rune) bool { return !isSpace(r) && !isIgnorable(r) }

func isSpace(r rune) bool { return unicode.Is(unicode.White_Space, r) }

// isIgnorable reports the derived property Default_Ignorable_Code_Point.
func isIgnorable(r rune) bool {
	switch {
	case r >= annotation && r <= annotationTo, r >= egyptian && r <= egyptianTo, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
