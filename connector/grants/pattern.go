package grants

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/parley-chat/parley/schema"
)

// maxStars is how many * a pattern may have.
const maxStars = 4

const (
	star = "*"
	user = "{user}"
)

// What may be wrong with a pattern, in words that follow its name.
var (
	errEmpty   = errors.New("is empty: write * for every channel")
	errUnicode = errors.New("must be Unicode text: it holds bytes that are not UTF-8")
	errStars   = errors.New("has more than 4 *: use fewer, or several patterns")
	errBrace   = errors.New(`has a { that does not begin {user}: write \{ for the character, which is "\\{" in JSON`)
	errEscape  = errors.New(`has a \ that does not begin \*, \{ or \\: write \\ for the character, which is "\\\\" in JSON`)
	errBeside  = errors.New("has {user} next to * or to another {user}: put a character between them that no user's name contains, such as a colon")
)

// Pattern stands for the names of channels: * for any run of characters, also
// none, {user} for the user's name; \*, \{ and \\ are the characters. The zero
// value stands for none. Immutable.
type Pattern struct {
	parts []part // never two literals next to each other
}

// part is a *, {user}, or text that means itself.
type part struct {
	text    string
	literal bool
}

// ParsePattern reads a pattern. Its errors follow the pattern's name in a
// sentence, say what to write instead, and quote nothing of it.
func ParsePattern(text string) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, errEmpty
	case !utf8.ValidString(text):
		return Pattern{}, errUnicode
	}
	var p Pattern
	stars := 0
	for text != "" {
		next, n, err := nextPart(text)
		if err != nil {
			return Pattern{}, err
		}
		if !p.add(next) {
			return Pattern{}, errBeside
		}
		if next.is(star) {
			stars++
		}
		text = text[n:]
	}
	if stars > maxStars {
		return Pattern{}, errStars
	}
	return p, nil
}

// nextPart reads the part that a text begins with, which is n bytes of it.
func nextPart(text string) (next part, n int, err error) {
	switch {
	case text[0] == '*':
		return part{text: star}, len(star), nil
	case strings.HasPrefix(text, user):
		return part{text: user}, len(user), nil
	case text[0] == '{':
		return part{}, 0, errBrace
	case text[0] != '\\':
		n = len(text)
		if special := strings.IndexAny(text, `*{\`); special > 0 {
			n = special
		}
		return part{text[:n], true}, n, nil
	case len(text) > 1 && strings.IndexByte(`*{\`, text[1]) >= 0:
		return part{text[1:2], true}, 2, nil
	}
	return part{}, 0, errEscape
}

func (p part) is(special string) bool { return !p.literal && p.text == special }

// add appends a part; false: it may not follow the one before it.
func (p *Pattern) add(next part) bool {
	if len(p.parts) == 0 {
		p.parts = append(p.parts, next)
		return true
	}
	last := &p.parts[len(p.parts)-1]
	if last.literal && next.literal {
		last.text += next.text
		return true
	}
	if !last.literal && !next.literal && (last.is(user) || next.is(user)) {
		return false
	}
	p.parts = append(p.parts, next)
	return true
}

// personal reports whether the pattern stands for other channels for each user.
func (p Pattern) personal() bool {
	return slices.ContainsFunc(p.parts, func(part part) bool { return part.is(user) })
}

// runs is the text before, between and after the * of a pattern, with the name
// of a user filled in. There are none when it stands for no channel of that
// user's.
func (p Pattern) runs(name string) []string {
	if len(p.parts) == 0 {
		return nil
	}
	runs, length := []string{""}, 0
	for i, part := range p.parts {
		text := part.text
		switch {
		case part.is(star):
			runs = append(runs, "")
			continue
		case part.is(user):
			if p.touches(i, name) {
				return nil
			}
			text = name
		}
		runs[len(runs)-1] += text
		if length += len(text); length > schema.MaxName {
			return nil
		}
	}
	return runs
}

// touches reports whether a user's name contains a character next to the {user}
// at i: it could not be seen where the name ends, and user a would get what is
// user a:b's.
func (p Pattern) touches(i int, name string) bool {
	if i > 0 {
		if before, _ := utf8.DecodeLastRuneInString(p.parts[i-1].text); strings.ContainsRune(name, before) {
			return true
		}
	}
	if i+1 < len(p.parts) {
		if after, _ := utf8.DecodeRuneInString(p.parts[i+1].text); strings.ContainsRune(name, after) {
			return true
		}
	}
	return false
}
