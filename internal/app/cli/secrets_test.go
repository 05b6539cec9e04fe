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
	"health": {"--admin=127.0.0.1:1"}, "trace": {"0123456789abcdef0123456789abcdef"}, "history": {"lobby"}, "format raise": {"2"},
	"hooks skip": {"--partition=0", "--to=1"}, "revoke": {"ada"}, "bar": {"ada"}, "grant": {"ada", "--none"},
	"admin publish": {"lobby", "ada", "hello"}, "admin history": {"lobby"}, "admin search": {"lobby", "hello"}, "admin members": {"lobby"},
	"admin mute": {"lobby", "eve"}, "admin ban": {"lobby", "eve"}, "admin kick": {"lobby", "eve"}, "admin lift": {"lobby", "eve"}, "admin purge": {"lobby", "eve"},
	"admin set": {"lobby", "--topic=x"}, "admin sanctions": {"lobby"}, "admin disconnect": {"ada"}, "admin revoke": {"ada"}, "admin bar": {"ada"}, "admin grant": {"ada", "--none"},
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

// checker asks what check says, of one parser: making one takes longer than all
// that it reads, and here are thousands of command lines.
type checker struct {
	line *commandLine
	out  bytes.Buffer
}

func newChecker(t *testing.T) *checker {
	t.Helper()
	c := new(checker)
	line, err := newCommandLine(&c.out)
	if err != nil {
		t.Fatal(err)
	}
	c.line = line
	return c
}

// says is what check prints for arguments, or ends with.
func (c *checker) says(args ...string) string {
	c.out.Reset()
	c.line.helped = false
	forget(c.line.parser.Model.Node)
	if err := c.line.check(args, &c.out); err != nil {
		return c.out.String() + endingOf(err)
	}
	return c.out.String()
}

// forget makes a parser forget what the command line before it set; the values
// themselves it resets.
func forget(node *kong.Node) {
	node.Active = false
	for _, flag := range node.Flags {
		flag.Set, flag.Active = false, false
	}
	for _, argument := range node.Positional {
		argument.Set, argument.Active = false, false
	}
	for _, child := range node.Children {
		forget(child)
	}
}

// No error quotes a password, whichever flag, variable or argument it was given
// to. A new flag is among them by itself.
func TestNoErrorQuotesAPassword(t *testing.T) {
	flags, seen, checks := 0, map[string]bool{}, newChecker(t)
	for _, command := range leaves(t) {
		name := command.Path()
		words := []string{}
		for _, word := range strings.Fields(name) {
			if !strings.HasPrefix(word, "<") && !strings.HasPrefix(word, "[") {
				words = append(words, word)
			}
		}
		needs := otherwise[name]
		form := func() string { return forms[flags%len(forms)] }
		checks.silent(t, form(), append(append(words[:len(words):len(words)], needs...), form())...)
		checks.silent(t, form(), append(words[:len(words):len(words)], form())...)
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				flags++
				with := append(words[:len(words):len(words)], needs...)
				if !seen[flag.Name] { // the same flag of another command gets one form
					for _, form := range forms {
						checks.silent(t, form, append(with[:len(with):len(with)], "--"+flag.Name+"="+form)...)
					}
				}
				seen[flag.Name] = true
				checks.silent(t, form(), append(with[:len(with):len(with)], "--"+flag.Name, form())...)
				for _, variable := range flag.Envs {
					t.Run(name+" "+variable, func(t *testing.T) {
						t.Setenv(variable, form())
						checks.silent(t, form(), with...)
					})
				}
			}
		}
	}
	for i, form := range forms {
		for j, args := range [][]string{{form}, {"connector", form}, {"connector", "--lisen=" + form}, {"connector", "--lisen", form}} {
			checks.silent(t, form, args...)
			if i%4 != j {
				continue // the whole program with each form and each place for one
			}
			said := checkedSays(args...)
			if strings.Contains(said, planted) {
				t.Errorf("given %q, the program says %q", args, said)
			}
			if args[0][0] != '-' && !strings.Contains(said, checks.says(args...)) {
				t.Errorf("given %q, the program says %q and not %q", args, said, checks.says(args...))
			}
		}
	}
	if flags < 100 {
		t.Errorf("there are %d flags: the walk misses some", flags)
	}
}

// silent reports a planted password in what check prints, and more than a line.
func (c *checker) silent(t *testing.T, form string, args ...string) {
	t.Helper()
	if said := c.says(args...); strings.Contains(said, planted) || strings.Contains(said, "ada:") {
		t.Errorf("given %q, %q says %q", form, args, said)
	}
}

func FuzzErrorsQuoteNoPassword(f *testing.F) {
	for _, form := range forms {
		f.Add("--listen", form)
		f.Add("--origins", strings.TrimPrefix(form, "ada"))
	}
	var checks *checker
	f.Fuzz(func(t *testing.T, flag, around string) {
		if checks == nil { // of this process, which plays one input after the other
			checks = newChecker(t)
		}
		given := around + planted + "@" + around
		if said := checks.says("connector", flag, given); strings.Contains(said, planted) {
			t.Errorf("%s %q says %q", flag, given, said)
		}
	})
}
