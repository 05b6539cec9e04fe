package words

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func TestFind(t *testing.T) {
	for _, c := range []struct{ query, body, at string }{
		{"hello", "Hello, world", "[[0 5]]"},
		{"WORLD hello", "Hello, world: hello", "[[0 5] [7 12] [14 19]]"},
		{"world", "worlds", "no"},
		{"hello there", "hello", "no"},
		{"straße", "STRASSE 5", "[[0 7]]"},
		{"strasse", "die Straße", "[[4 10]]"},
		{"ｆｕｌｌ", "a full house", "[[2 6]]"},
		{"привет", "Привет-мир", "[[0 6]]"},
		{"café", "cafe\u0301!", "[[0 5]]"},
		{"cafe", "café", "no"},
		{"天气", "今天天气很好", "[[2 4]]"},
		{"天", "今天天气", "[[1 3]]"},
		{"天气 好", "今天天气很好", "[[2 4] [5 6]]"},
		{"天天天", "天天天天", "[[0 4]]"},
		{"气天", "今天天气很好", "no"},
		{"手机", "iPhone手机", "[[6 8]]"},
		{"iphone手机", "手机 and an iPhone", "[[0 2] [10 16]]"},
		{"サーバー", "新しいサーバーです", "[[3 7]]"},
		{"ｻｰﾊﾞｰ", "サーバー", "[[0 4]]"},
		{"학교", "학교에서", "[[0 2]]"},
		{"อากาศ", "วันนี้อากาศดี", "[[6 11]]"},
		{"नमस्ते", "नमस्ते दुनिया", "[[0 6]]"},
		{"bar", "foo_bar", "[[4 7]]"},
		{"3.14", "pi is 3.14159 or 3", "no"},
		{"14 3", "pi is 3.14", "[[6 7] [8 10]]"},
		{"hi", "😀 hi", "[[3 5]]"},
		{"2", "½", "[[0 1]]"},
		{"a%", "a_b%", "[[0 1]]"},
		{".* ( [a", "a", "[[0 1]]"},
		{"x", "", "no"},
		{"password", "pass\u200bword", "[[0 9]]"},
		{"\u3000，。!?", "，", "no"},
		{"", "a", "no"},
	} {
		at, ok := Parse(c.query).Find(c.body)
		got := "no"
		if ok {
			got = fmt.Sprint(at)
		}
		if got != c.at {
			t.Errorf("%q in %q: %s, want %s", c.query, c.body, got, c.at)
		}
	}
}

// Of a word over and over not every place is told, and what comes after is found all the same.
func TestPlacesAreBounded(t *testing.T) {
	for query, want := range map[string]int{"x": maxRanges, "x y": maxRanges, "大": maxRanges, "x z": 0} {
		body := strings.Repeat("x ", 5000) + strings.Repeat("大 ", 5000) + "y"
		at, ok := Parse(query).Find(body)
		if len(at) != want || ok != (want > 0) {
			t.Errorf("%q is in %d places, found: %v, want %d", query, len(at), ok, want)
		}
	}
}

// Whatever is searched for in itself is found, within the text.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"hello", "今天天气很好", "İ ß ｶﾞ \u0301\u0301", "a\x00b\xff", "½ﷺ", "한국 กำ"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, query, body string) {
		q := Parse(query)
		if _, ok := q.Find(query); ok != (q.Len() > 0) && utf8.ValidString(query) {
			t.Errorf("%q is not found in itself", query)
		}
		at, _ := q.Find(body)
		last, size := -1, len(utf16.Encode([]rune(body)))
		for _, r := range at {
			if r[0] <= last || r[0] >= r[1] || r[1] > size {
				t.Errorf("%q in %q: %v of %d code units", query, body, at, size)
			}
			last = r[1]
		}
	})
}

func BenchmarkFind(b *testing.B) {
	q := Parse("quick dog")
	b.ReportAllocs()
	for b.Loop() {
		q.Find("The quick brown fox jumps over the lazy dog, and over the other quick dog as well.")
	}
}
