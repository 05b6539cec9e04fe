package cli

import (
	"context"
	"embed"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

// scripts complete the command line in a shell: each asks completeCommand.
//
//go:embed completion
var scripts embed.FS

type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"For which shell: bash, zsh or fish."`
}

// Help is shown under the command's flags.
func (c *completionCommand) Help() string {
	return `In ~/.bashrc:                    eval "$(parley completion bash)"
In ~/.zshrc, after compinit:     eval "$(parley completion zsh)"
In ~/.config/fish/config.fish:   parley completion fish | source`
}

// Run prints the script.
func (c *completionCommand) Run(_ context.Context, p process) error {
	text, err := scripts.ReadFile("completion/parley." + c.Shell)
	if err == nil {
		_, err = p.stdout.Write(text)
	}
	return err
}

type completeCommand struct {
	Words []string `arg:"" optional:"" passthrough:"" help:"The words of the command line up to the cursor, the last one as far as it is written."`
}

// Run prints what may follow, a line each: the word, a tab, and what it means.
func (c *completeCommand) Run(_ context.Context, p process) error {
	line, err := newCommandLine(io.Discard)
	if err != nil {
		return err
	}
	words := c.Words
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	}
	if len(words) == 0 {
		words = []string{""}
	}
	for _, f := range following(line.parser.Model.Node, words) {
		if _, err := fmt.Fprintf(p.stdout, "%s\t%s\n", f.word, f.means); err != nil {
			return err
		}
	}
	return nil
}

// completion is a word that may come next.
type completion struct{ word, means string }

// following are the words that may stand in place of the last one. None: it is a file, or
// something that nobody can know.
func following(root *kong.Node, words []string) (all []completion) {
	last := words[len(words)-1]
	node, flag, arguments := root, (*kong.Flag)(nil), 0
	for _, word := range words[:len(words)-1] {
		switch {
		case word == "=": // bash takes it for a word
		case flag != nil:
			flag = nil
		case strings.HasPrefix(word, "-"):
			flag = expects(node, word)
		case child(node, word) != nil:
			node, arguments = child(node, word), 0
			if node.Passthrough || len(node.Positional) > 0 && node.Positional[0].Passthrough {
				node = root // it takes a command line
			}
		default:
			arguments++
		}
	}
	if last == "=" {
		last = ""
	}
	switch {
	case flag != nil:
		return among(values(flag.Value), last)
	case strings.HasPrefix(last, "-"):
		return among(flags(node), last)
	case len(node.Children) > 0:
		return among(commands(node), last)
	case arguments < len(node.Positional):
		return among(values(node.Positional[arguments]), last)
	}
	return nil
}

func child(node *kong.Node, name string) *kong.Node {
	for _, c := range node.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

// expects is the flag whose value follows a word; nil: none.
func expects(node *kong.Node, word string) *kong.Flag {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			if word == "--"+f.Name && !f.IsBool() {
				return f
			}
		}
	}
	return nil
}

func commands(node *kong.Node) (all []completion) {
	for _, c := range node.Children {
		if !c.Hidden {
			all = append(all, completion{c.Name, c.Help})
		}
	}
	return all
}

func flags(node *kong.Node) (all []completion) {
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			all = append(all, completion{"--" + f.Name, f.Help})
		}
	}
	return all
}

func values(v *kong.Value) (all []completion) {
	if v.Enum == "" {
		return nil
	}
	for _, word := range v.EnumSlice() {
		if word != "" {
			all = append(all, completion{word, ""})
		}
	}
	return all
}

func among(all []completion, begins string) (found []completion) {
	for _, c := range all {
		if strings.HasPrefix(c.word, begins) {
			found = append(found, c)
		}
	}
	return found
}
