package sql

// unspaced is a class of a regular expression: the scripts whose runs have no words,
// as in schema/words.
const unspaced = `[\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Hangul}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}ー]+`

// Words is an expression of SQL: the tokens by which the index of words has a text,
// another expression. They are the words of schema/words, and of its runs each
// character, and each two that follow each other.
func Words(text string) string {
	folded := `normalizeUTF8NFKCCasefold(` + text + `)`
	words := `extractAll(replaceRegexpAll(` + folded + `, '` + unspaced + `', ' '), '[\\p{L}\\p{N}\\p{M}]+')`
	runs := `extractAll(` + folded + `, '` + unspaced + `')`
	return `arrayDistinct(arrayConcat(` + words + `, arrayFlatten(arrayMap(run -> arrayConcat(ngrams(run, 1), ngrams(run, 2)), ` + runs + `))))`
}

// Tokens is, for the templates, the type of an index of a column's words.
func (t target) Tokens(column string) string {
	return `TYPE text(tokenizer = splitByString([' ']), preprocessor = arrayStringConcat(` + Words(column) + `, ' '))`
}
