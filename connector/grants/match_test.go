package grants

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

// In names of any length a pattern matches as one does whose texts are searched
// for one after the other.
func TestLongNamesMatchAsSearched(t *testing.T) {
	var matched, other int
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.SampledFrom([]string{"", "a", "b", "ab", "ba", "aab", "bab", "abba", "大", strings.Repeat("ab", 20), strings.Repeat("a", 63)})
		runs := rapid.SliceOfN(text, 2, 5).Draw(t, "runs")
		p, err := ParsePattern(strings.Join(runs, "*"))
		if err != nil {
			t.Fatal(err)
		}
		fill := rapid.SampledFrom([]string{"", "a", "b", "ab", "ba", "大", strings.Repeat("ba", 13), strings.Repeat("a", 31), strings.Repeat("a", 62)})
		channel := ""
		for _, run := range runs {
			channel += run + fill.Draw(t, "fill")
		}
		if !strings.HasSuffix(channel, runs[len(runs)-1]) && rapid.Bool().Draw(t, "ends") {
			channel += runs[len(runs)-1]
		}
		channel = channel[:min(len(channel), schema.MaxName)]
		want := searched(runs, channel)
		if got := stands(p, "ada", channel); got != want {
			t.Fatalf("%q matches %q: %v, want %v", runs, channel, got, want)
		}
		if want {
			matched++
		} else {
			other++
		}
	})
	if matched == 0 || other == 0 {
		t.Errorf("%d match, %d do not", matched, other)
	}
}

// searched takes the first of every run, which leaves most for what follows.
func searched(runs []string, name string) bool {
	last := len(runs) - 1
	name, ok := strings.CutPrefix(name, runs[0])
	for _, run := range runs[1:last] {
		at := strings.Index(name, run)
		if !ok || at < 0 {
			return false
		}
		name = name[at+len(run):]
	}
	return ok && strings.HasSuffix(name, runs[last])
}
