package cli_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// completed are the words that may stand in place of the last one.
func completed(t *testing.T, words ...string) (all []string) {
	t.Helper()
	code, out, errs := runs(append([]string{"complete", "--"}, words...)...)
	if code != 0 || errs != "" {
		t.Fatalf("%q: exit code %d: %s", words, code, errs)
	}
	for line := range strings.Lines(out) {
		word, _, _ := strings.Cut(line, "\t")
		all = append(all, strings.TrimSpace(word))
	}
	return all
}

// Commands, flags and the values of flags are completed, wherever they are; what nobody
// can know is left to the shell.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"adm"}, "admin"}, {[]string{"admin", "pu"}, "publish purge"}, {[]string{"topics", ""}, "show create check"}, {[]string{"up", "--log-l"}, "--log-level"},
		{[]string{"up", "--log-level", ""}, "debug info warn error"}, {[]string{"up", "--log-level", "=", "w"}, "warn"}, {[]string{"up", "--log-level", "="}, "debug info warn error"},
		{[]string{"up", "--data", "x", "--log-format", "j"}, "json"}, {[]string{"up", "--open", "--log-format", ""}, "text json"}, {[]string{"check", "up", "--log-format", ""}, "text json"},
		{[]string{"check", "adm"}, "admin"}, {[]string{"completion", ""}, "bash zsh fish"}, {[]string{"completion", "bash", ""}, ""}, {[]string{"admin", "lift", "a", "b", "--action", ""}, "mute ban"},
		{[]string{"admin", "lift", "a", ""}, ""}, {[]string{"up", "--data", ""}, ""}, {[]string{"nothing", ""}, "*"}, {[]string{"compl"}, "completion"}, {[]string{"-"}, "--help"},
	} {
		got := completed(t, c.words...)
		if c.want == "*" && len(got) > 20 {
			continue
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("after %q come %q, want %s", c.words, got, c.want)
		}
	}
	if all := completed(t); !slices.Contains(all, "up") || slices.Contains(all, "complete") {
		t.Errorf("the commands are %q", all)
	}
}

// Shells take the scripts, and complete with them.
func TestCompletionInShells(t *testing.T) {
	dir := t.TempDir()
	wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec %q \"$@\"\n", programEnv, os.Args[0])
	if err := os.WriteFile(filepath.Join(dir, "parley"), []byte(wrapper), 0o700); err != nil { // #nosec G306 -- it is to run
		t.Fatal(err)
	}
	for shell, c := range map[string]struct {
		args   []string
		script string
	}{
		"bash": {[]string{"--norc", "--noprofile"}, `eval "$(parley completion bash)"; COMP_WORDS=(parley admin pu); COMP_CWORD=2; _parley parley; echo "${COMPREPLY[@]}"; complete -p parley`},
		"zsh": {[]string{"-f"}, `autoload -Uz compinit && compinit -u -D; eval "$(parley completion zsh)"; _describe() { print -r -- "${(@P)2%%:*}" }; _files() { print files }
			words=(parley admin pu) CURRENT=3; _parley; words=(parley up --data x) CURRENT=4; _parley`},
		"fish": {[]string{"--no-config"}, `parley completion fish | source; complete -C 'parley admin pu' | string split -f1 \t`},
	} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				if os.Getenv("CI") == "true" {
					t.Fatal(err)
				}
				t.Skip(err)
			}
			cmd := exec.Command(path, append(c.args, "-c", c.script)...) // #nosec G204 -- of this table
			cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir)
			out, err := cmd.CombinedOutput()
			got := strings.Join(strings.Fields(string(out)), " ")
			if want := map[string]string{"bash": "publish purge complete -o bashdefault -o default -F _parley parley", "zsh": "publish purge files", "fish": "publish purge"}[shell]; err != nil || got != want {
				t.Errorf("says %s, %v, want %s", out, err, want)
			}
		})
	}
}
