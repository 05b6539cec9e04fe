package schema

import (
	"errors"
	"strings"
	"unicode"
)

// ErrNewName describes what is wrong with a name that the log has not seen yet.
var ErrNewName = errors.New("must not hold invisible, zero-width or direction-changing characters, nor begin or end with white space")

// CheckNewName is CheckName for names that the log may not have yet. It also
// refuses those that can pass for another name. The error is ErrName or
// ErrNewName.
func CheckNewName(s string) error {
	if err := CheckName(s); err != nil {
		return err
	}
	runes := []rune(s)
	base := ' ' // what marks before the character belong to
	for i, r := range runes {
		if unicode.Is(unicode.Bidi_Control, r) || isIgnorable(r) && !mayStand(runes, i, base) {
			return ErrNewName
		}
		if !isIgnorable(r) && !unicode.Is(unicode.Inherited, r) {
			base = r
		}
	}
	if isBlank(runes[0]) || isBlank(runes[len(runes)-1]) {
		return ErrNewName
	}
	return nil
}

// Characters that are ignorable, and that emoji and some scripts are written
// with.
const (
	nonJoiner    = '\u200c'
	joiner       = '\u200d'
	textStyle    = '\ufe0e'
	emojiStyle   = '\ufe0f'
	keycap       = '\u20e3'
	annotation   = '\ufff9' // to annotationEnd: format characters that are shown
	annotationTo = '\ufffb'
	egyptian     = '\U00013430'
	egyptianTo   = '\U00013440'
)

// joining are the scripts in which a joiner changes what is seen.
var joining = []*unicode.RangeTable{
	unicode.Arabic, unicode.Syriac, unicode.Mandaic, unicode.Mongolian, unicode.Nko, unicode.Phags_Pa, unicode.Adlam, unicode.Hanifi_Rohingya,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada, unicode.Malayalam,
	unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese, unicode.Sundanese, unicode.Meetei_Mayek, unicode.Chakma,
}

// mayStand reports whether the ignorable character at i is meaningful there: a
// style after a symbol or in a keycap, a joiner between two emoji or, in scripts
// that know it, right after what is visible.
func mayStand(runes []rune, i int, base rune) bool {
	if i == 0 {
		return false
	}
	before, after := runes[i-1], ' '
	if i+1 < len(runes) {
		after = runes[i+1]
	}
	switch runes[i] {
	case nonJoiner:
		return !isIgnorable(before) && unicode.In(base, joining...)
	case joiner:
		return !isIgnorable(before) && unicode.In(base, joining...) || (isEmoji(before) || before == emojiStyle || before == textStyle) && isEmoji(after)
	case textStyle, emojiStyle:
		return isEmoji(before) || after == keycap && strings.ContainsRune("#*0123456789", before)
	}
	return false
}

// isEmoji reports whether an emoji may be written with a character: a symbol
// beyond ASCII, or one of the few that are not called so.
func isEmoji(r rune) bool {
	return r > unicode.MaxASCII && unicode.Is(unicode.S, r) && !isBlank(r) || strings.ContainsRune("‼⁉〰ℹ", r)
}

// isBlank reports whether a character is invisible: white space, the blank
// of Braille and the empty head of a note, which are called symbols.
func isBlank(r rune) bool {
	return unicode.Is(unicode.White_Space, r) || r == '\u2800' || r == '\U0001d159'
}

// isIgnorable reports the derived property Default_Ignorable_Code_Point.
func isIgnorable(r rune) bool {
	switch {
	case r >= annotation && r <= annotationTo, r >= egyptian && r <= egyptianTo, unicode.Is(unicode.Prepended_Concatenation_Mark, r):
		return false
	}
	return unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}
