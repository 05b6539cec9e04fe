package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

//go:generate go run ../settings ../../../docs/settings.md

const settingsHead = `# Settings

Every flag of every command, made from the program by ` + "`make generate`" + `; changes here are lost. A flag wins over its environment variable, a variable over the default. ` + "`parley COMMAND --help`" + ` prints the same for one command, and ` + "`parley check COMMAND FLAGS`" + ` checks whether it would start with these flags in this environment.

A time is a number with its unit, such as 500ms, 30s or 24h. A flag with several values takes them separated by commas. Passwords belong into variables or files: other users of a machine see the flags of its processes.

Limits that have no flag, such as the time for a TLS handshake (5 s), for the head of a request (5 s) and for ` + "`hello`" + ` (10 s), are in [the tables of bounds](architecture.md#what-is-bounded-and-what-happens-at-the-bound).

The variables of OpenTelemetry are the standard ones, such as ` + "`OTEL_EXPORTER_OTLP_ENDPOINT`" + `.
`

// setting is one flag as an operator sees it.
type setting struct{ flag, env, fallback, meaning string }

// settings are flags that the same commands have.
type settings struct {
	commands string
	all      []setting
}

// Settings explains every flag of every command as Markdown.
func Settings() ([]byte, error) {
	var g grammar
	parser, err := kong.New(&g, language()...)
	if err != nil {
		return nil, fmt.Errorf("the command line is defined wrongly: %w", err)
	}
	var text bytes.Buffer
	text.WriteString(settingsHead)
	for _, group := range grouped(parser.Model.Node) {
		fmt.Fprintf(&text, "\n## %s\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n", group.commands)
		for _, s := range group.all {
			fmt.Fprintf(&text, "| %s | %s | %s | %s |\n", s.flag, s.env, s.fallback, s.meaning)
		}
	}
	return text.Bytes(), nil
}

// grouped returns all flags by the commands that have them, in the order of the
// commands.
func grouped(root *kong.Node) []*settings {
	var order []setting
	commands := map[setting][]string{}
	for _, command := range root.Leaves(true) {
		for _, flag := range command.Flags {
			s := explained(flag)
			if commands[s] == nil {
				order = append(order, s)
			}
			commands[s] = append(commands[s], command.Path())
		}
	}
	var groups []*settings
	for _, s := range order {
		of := strings.Join(commands[s], ", ")
		i := slices.IndexFunc(groups, func(g *settings) bool { return g.commands == of })
		if i < 0 {
			i = len(groups)
			groups = append(groups, &settings{commands: of})
		}
		groups[i].all = append(groups[i].all, s)
	}
	return groups
}

// explained splits a flag's help into what it means and what it is when unset.
func explained(flag *kong.Flag) setting {
	meaning, fallback, found := strings.Cut(flag.Help, " Default: ")
	switch {
	case found:
		fallback = strings.TrimSuffix(fallback, ".")
	case flag.HasDefault:
		fallback = flag.Default
	case flag.IsBool():
		fallback = "off"
	case flag.Required:
		fallback = "none: it must be given"
	}
	name := "--" + flag.Name
	if !flag.IsBool() {
		name += " " + cmp.Or(flag.PlaceHolder, "VALUE")
	}
	return setting{
		flag: code(name), env: code(strings.Join(flag.Envs, ", ")),
		fallback: cmp.Or(cell(fallback), "none"), meaning: cell(meaning),
	}
}

func code(text string) string { return "`" + cell(text) + "`" }

// cell keeps a text within its column.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
