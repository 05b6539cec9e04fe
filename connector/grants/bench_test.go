package grants

import (
	"fmt"
	"strings"
	"testing"
)

// benchmark is 64 patterns in as many grants, and a channel to ask of.
type benchmark struct {
	name    string
	pattern func(i int) string
	channel string
	missing Action // of Chat, where the grants allow Join
}

var benchmarks = []benchmark{
	{"names", func(i int) string { return fmt.Sprintf("room-%d", i) }, "room-63", Chat},
	{"prefixes", func(i int) string { return fmt.Sprintf("team-%d:*", i) }, "team-63:general", Chat},
	{"user", func(i int) string { return fmt.Sprintf("app-%d:{user}:*", i) }, "app-63:ada:general", Chat},
	{"elsewhere", func(i int) string { return fmt.Sprintf("team-%d:*", i) }, "lobby", Join},
	// Slower than any that people write: the longest names there are, in which much of every pattern is found.
	{"hostile/rare", func(i int) string { return fmt.Sprintf("*ab*b*%c*", '大'+rune(i)) }, strings.Repeat("a", 64) + strings.Repeat("b", 64), Join},
	{"hostile/order", func(i int) string { return "*ab*" + word(i) + "*ba*" }, strings.Repeat("a", 64) + strings.Repeat("b", 64), Join},
	{"hostile/nearly", func(i int) string { return "*" + word(i) + "*bab*babb*" }, "bb" + strings.Repeat("ab", 63), Join},
	{"hostile/between", func(i int) string { return "*ab*ba" + word(i) + "*ab*" }, strings.Repeat("a", 64) + strings.Repeat("b", 61) + "aab", Join},
	{"hostile/long", func(i int) string { return "*" + strings.Repeat("a", 30+i%30) + "*" + word(i) + "*aab*" }, "aab" + strings.Repeat("a", 125), Join},
	{"hostile/ends", func(i int) string { return strings.Repeat("a", 40) + "*" + word(i) + "*b*" + strings.Repeat("a", 40) }, strings.Repeat("a", 128), Join},
}

// word is a text of a and b, another one for each i.
func word(i int) string {
	return strings.NewReplacer("0", "a", "1", "b").Replace(fmt.Sprintf("%06b", i))
}

// BenchmarkCheck asks a matcher of 64 patterns for what none of them allows,
// which tries them all.
func BenchmarkCheck(b *testing.B) {
	for _, c := range benchmarks {
		b.Run(c.name, func(b *testing.B) {
			m := compiled(b, c)
			b.ReportAllocs()
			for b.Loop() {
				if missing, _ := m.Check(Chat, c.channel, never); missing != c.missing {
					b.Fatalf("%v is missing", missing)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	list := listFor(b, benchmarks[2])
	b.ReportAllocs()
	for b.Loop() {
		Compile("ada", list)
	}
}

func TestAskingAllocatesNothing(t *testing.T) {
	for _, c := range benchmarks {
		m := compiled(t, c).With(Timed{Channel: c.channel, Allow: 1 << Join, Until: noon}, never)
		if n := testing.AllocsPerRun(100, func() { m.Check(Chat, c.channel, never); m.Allows(Join, c.channel, noon) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
}

func compiled(t testing.TB, c benchmark) *Matcher { return Compile("ada", listFor(t, c)) }

func listFor(t testing.TB, c benchmark) List {
	grants := make([]Grant, MaxGrants)
	for i := range grants {
		var err error
		if grants[i], err = New([]string{c.pattern(i)}, []string{"join"}); err != nil {
			t.Fatal(err)
		}
	}
	l, err := NewList(grants...)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
