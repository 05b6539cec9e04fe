package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parley-chat/parley/internal/embedded"
)

type checkCommand struct {
	Command []string `arg:"" passthrough:"" help:"Command with its flags, as it would be started."`
}

// Run checks whether a command would start with these flags in this environment.
// Nothing is started. An environment variable that looks like one of ours and
// is not a flag of the command is an error too: it is probably a typing error.
func (c *checkCommand) Run(_ context.Context, p process) error {
	line, err := newCommandLine(p.stdout)
	if err != nil {
		return err
	}
	return line.check(c.Command, p.stdout)
}

// check says that the command of args would start with its flags, or why not.
func (l *commandLine) check(args []string, stdout io.Writer) error {
	parsed, err := l.read(args)
	if errors.Is(err, errHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	if unknown := unknownVariables([]*kong.Node{parsed.Selected()}, os.Environ()); len(unknown) > 0 {
		return fmt.Errorf("`parley %s` has no flag for the environment variable %s", parsed.Command(), strings.Join(unknown, ", "))
	}
	command, err := commandOf(parsed)
	if err == nil {
		err = sound(command)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "parley %s: flags and environment are right\n", parsed.Command())
	if w, ok := command.(interface{ warnings() []string }); ok {
		for _, warning := range w.warnings() {
			fmt.Fprintln(stdout, "warning: "+warning)
		}
	}
	return nil
}

// unknownVariables are the names of the PARLEY_ variables that no flag of the
// commands reads, sorted.
func unknownVariables(commands []*kong.Node, environment []string) []string {
	known := []string{embedded.LibraryEnv}
	for _, command := range commands {
		for _, group := range command.AllFlags(false) {
			for _, flag := range group {
				known = append(known, flag.Envs...)
			}
		}
	}
	var unknown []string
	for _, variable := range environment {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "PARLEY_") && !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
