package sql

// unspaced is a class of a regular expression: the scripts whose runs have no words,
// as in schema/words.
const unspaced = `[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}ー]`

// Tokens is, for the templates, the type of an index of a column's words: the tokens are
// those of schema/words, and of its runs each character, and each two that follow each
// other. The tokenizer splits at what is neither a letter nor a digit of ASCII and leaves
// other characters together, so that a text of ASCII meets patterns that find nothing:
// to take each of its words out by a pattern takes ClickHouse twice as long.
func (t target) Tokens(column string) string {
	folded := `normalizeUTF8NFKCCasefold(` + column + `)`
	words := `replaceRegexpAll(` + folded + `, '[^\\p{L}\\p{N}\\p{M}\\x00-\\x7F]+|` + unspaced + `+', ' ')`
	parts := `arrayMap(run -> arrayConcat(ngrams(run, 1), ngrams(run, 2)), extractAll(` + folded + `, '` + unspaced + `+'))`
	return `TYPE text(tokenizer = splitByNonAlpha, preprocessor = concat(` + words + `, ' ', arrayStringConcat(arrayFlatten(` + parts + `), ' ')))`
}
