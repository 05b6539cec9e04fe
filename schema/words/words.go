// Package words says when a message matches what is searched for: it has every word
// of it, whatever the case, the width and the order. Scripts that put no spaces between words have
// no words here but runs, of which any part matches: 天气 is found in 今天天气很好.
//
// ClickHouse has the same tokens by an index (by_tokens in schema/sql); a test of
// internal/history compares the two.
package words

import (
	"cmp"
	"iter"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Query is what is searched for. The zero value matches nothing. It is immutable.
type Query struct{ words, runs []string }

// Parse takes what somebody typed. Whatever is neither a letter, a mark nor a digit
// separates words; a text of nothing else has none.
func Parse(text string) Query {
	var q Query
	for t := range tokensOf(text) {
		to := &q.words
		if t.run {
			to = &q.runs
		}
		if s := string(t.text); !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	return q
}

// Len is how many words and runs there are.
func (q Query) Len() int { return len(q.words) + len(q.runs) }

// Tokens are the fewest of a text's tokens in ClickHouse that tell that it may have all
// that is searched for: the words, and of runs each two characters that follow each other.
func (q Query) Tokens() []string {
	all := slices.Clone(q.words)
	for _, run := range q.runs {
		text := []rune(run)
		if len(text) == 1 {
			all = append(all, run)
		}
		for i := range text[1:] {
			all = append(all, string(text[i:i+2]))
		}
	}
	return all
}

// maxRanges is how many places in a body are told: more than anybody looks at, and
// few beside a body of one word over and over.
const maxRanges = 1000

// Find reports whether a body has all that is searched for, and where: ranges of
// UTF-16 code units, ascending and apart, 1,000 at most.
func (q Query) Find(body string) (at [][2]int, ok bool) {
	if q.Len() == 0 {
		return nil, false
	}
	found := make(map[string]bool, q.Len())
	tell := func(from, to int) {
		if len(at) < maxRanges {
			at = append(at, [2]int{from, to})
		}
	}
	for t := range tokensOf(body) {
		if !t.run {
			if s := string(t.text); slices.Contains(q.words, s) {
				found[s] = true
				tell(t.from[0], t.to[len(t.to)-1])
			}
			continue
		}
		for _, part := range q.runs {
			for _, i := range t.all(part) {
				found[part] = true
				tell(t.from[i], t.to[i+utf8.RuneCountInString(part)-1])
			}
		}
	}
	if len(found) < q.Len() {
		return nil, false
	}
	return united(at), true
}

// united are ranges without those that overlap or touch.
func united(at [][2]int) [][2]int {
	slices.SortFunc(at, func(a, b [2]int) int { return cmp.Or(a[0]-b[0], a[1]-b[1]) })
	all := at[:1]
	for _, r := range at[1:] {
		if last := &all[len(all)-1]; r[0] <= last[1] {
			last[1] = max(last[1], r[1])
		} else {
			all = append(all, r)
		}
	}
	return all
}

// token is a word, or a run.
type token struct {
	run      bool
	text     []rune // folded
	from, to []int  // of each rune: the UTF-16 code units that it comes from
}

// all are the indices at which a run has a part. Parts may overlap.
func (t *token) all(part string) (found []int) {
	rest, at := string(t.text), 0
	for {
		i := strings.Index(rest, part)
		if i < 0 {
			return found
		}
		at += utf8.RuneCountInString(rest[:i])
		found = append(found, at)
		_, first := utf8.DecodeRuneInString(rest[i:])
		rest = rest[i+first:]
		at++
	}
}

type kind int

const (
	separator kind = iota
	ofWord
	ofRun
)

// unspaced are the scripts that put no spaces between words, or, as in Korean, join
// particles to them.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar, unicode.Tibetan,
}

// prolonged is the mark of long vowels in Japanese, which belongs to no one script.
const prolonged = 'ー'

func kindOf(r rune) kind {
	switch {
	case r < utf8.RuneSelf:
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' {
			return ofWord
		}
		return separator
	case r == prolonged || unicode.In(r, unspaced...):
		return ofRun
	case unicode.In(r, unicode.L, unicode.N, unicode.M):
		return ofWord
	}
	return separator
}

// ignorable reports characters of which nothing is seen: folding takes them away.
func ignorable(r rune) bool {
	return r >= utf8.RuneSelf && unicode.In(r, unicode.Cf, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// tokensOf splits a text. It is folded piece by piece, so that it is known where each
// rune comes from. A token is good until the next one.
func tokensOf(text string) iter.Seq[*token] {
	return func(yield func(*token) bool) {
		fold, last, unit := folder(), separator, 0
		var t token
		for rest := text; len(rest) > 0; {
			n := max(1, norm.NFKC.NextBoundaryInString(rest, true))
			units := unitsOf(rest[:n])
			for _, r := range fold(rest[:n]) {
				if ignorable(r) { // within a word
					continue
				}
				is := kindOf(r)
				if is != last {
					if last != separator && !yield(&t) {
						return
					}
					t = token{is == ofRun, t.text[:0], t.from[:0], t.to[:0]}
				}
				if is != separator {
					t.text, t.from, t.to = append(t.text, r), append(t.from, unit), append(t.to, unit+units)
				}
				last = is
			}
			rest, unit = rest[n:], unit+units
		}
		if last != separator {
			yield(&t)
		}
	}
}

// folder returns a function that makes one text of those that differ in case or width.
func folder() func(string) string {
	caser := cases.Fold()
	return func(s string) string {
		if len(s) == 1 {
			return strings.ToLower(s)
		}
		return norm.NFKC.String(caser.String(norm.NFKC.String(s)))
	}
}

// unitsOf is how many UTF-16 code units a text takes.
func unitsOf(s string) (n int) {
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return n
}
