package cli

import (
	"bytes"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

const planted = "hunter2secret"

// forms are how a password comes into a flag that is not meant for it.
var forms = []string{
	"ada:" + planted + "@host", planted + "@host:1", "https://ada:" + planted + "@host/x", "ada:" + planted, "ada:x," + planted + "@host",
	"ada: " + planted + "\n@host", "/ada:" + planted + `@"host`, "ada:x#" + planted + "/@host", "-" + planted + "@host",
}

// otherwise is what commands need besides flags that have a default.
var otherwise = map[string][]string{
	"health": {"--admin=127.0.0.1:1"}, "trace <id>": {"0123456789abcdef0123456789abcdef"}, "history <channel>": {"lobby"}, "format raise <number>": {"2"},
}

// leaves are all commands but check, which is asked about them.
func leaves(t *testing.T) (all []*kong.Node) {
	t.Helper()
	parser, err := kong.New(new(grammar), language()...)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range parser.Model.Leaves(false) {
		if command.Name != "check" {
			all = append(all, command)
		}
	}
	return all
}

// checkedSays is what `parley check` prints for arguments.
func checkedSays(args ...string) string {
	var out, errs bytes.Buffer
	Run(append([]string{"check"}, args...), &out, &errs)
	return out.String() + errs.String()
}

// No error quotes a password, whichever flag, variable or argument it was given
// to. A new flag is among them by itself.
func TestNoErrorQuotesAPassword(t *testing.T) {
	flags, seen := 0, map[string]bool{}
	for _, command := range leaves(t) {
		name := command.Path()
		words := []string{}
		for _, word := range strings.Fields(name)[1:] {
			if !strings.HasPrefix(word, "<") && !strings.HasPrefix(word, "[") {
				words = append(words, word)
			}
		}
		needs := otherwise[strings.TrimPrefix(name, "parley ")]
		form := func() string { return forms[flags%len(forms)] }
		silent(t, form(), append(append(words[:len(words):len(words)], needs...), form())...)
		silent(t, form(), append(words[:len(words):len(words)], form())...)
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				flags++
				with := append(words[:len(words):len(words)], needs...)
				if !seen[flag.Name] { // the same flag of another command gets one form
					for _, form := range forms {
						silent(t, form, append(with[:len(with):len(with)], "--"+flag.Name+"="+form)...)
					}
				}
				seen[flag.Name] = true
				silent(t, form(), append(with[:len(with):len(with)], "--"+flag.Name, form())...)
				for _, variable := range flag.Envs {
					t.Run(name+" "+variable, func(t *testing.T) {
						t.Setenv(variable, form())
						silent(t, form(), with...)
					})
				}
			}
		}
	}
	for _, form := range forms {
		silent(t, form, form)
		silent(t, form, "connector", form)
		silent(t, form, "connector", "--lisen="+form)
		silent(t, form, "connector", "--lisen", form)
	}
	if flags < 100 {
		t.Errorf("there are %d flags: the walk misses some", flags)
	}
}

// silent reports a planted password in what check prints, and more than a line.
func silent(t *testing.T, form string, args ...string) {
	t.Helper()
	if said := checkedSays(args...); strings.Contains(said, planted) || strings.Contains(said, "ada:") {
		t.Errorf("given %q, %q says %q", form, args, said)
	}
}

func FuzzErrorsQuoteNoPassword(f *testing.F) {
	for _, form := range forms {
		f.Add("--listen", form)
		f.Add("--origins", strings.TrimPrefix(form, "ada"))
	}
	f.Fuzz(func(t *testing.T, flag, around string) {
		given := around + planted + "@" + around
		if said := checkedSays("connector", flag, given); strings.Contains(said, planted) {
			t.Errorf("%s %q says %q", flag, given, said)
		}
	})
}
