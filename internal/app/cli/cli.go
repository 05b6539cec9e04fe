// Package cli is the command line of parley: it reads flags and environment,
// starts what was asked for and stops it in order.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/parley-chat/parley/internal/clickhouse"
)

// Exit codes of the program.
const (
	exitOK          = 0
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130 // a second Ctrl-C, as shells have it
)

const description = `Parley is a chat backend with persistent history, on your Kafka and ClickHouse
or on servers of its own. "parley up" starts everything there is.

Every flag can be set in the environment too, as PARLEY_ and its name:
--log-level is PARLEY_LOG_LEVEL.`

// grammar is every command there is.
type grammar struct {
	Up         upCommand         `cmd:"" help:"Start everything in one process, on servers of its own."`
	Connector  connectorCommand  `cmd:"" help:"Start a connector, which clients connect to."`
	Chatworker chatworkerCommand `cmd:"" help:"Start a chat worker, which pushes what happens in channels to connectors."`
	Projector  projectorCommand  `cmd:"" help:"Start a projector, which writes history to ClickHouse."`
	Hooks      hooksCommand      `cmd:"" help:"Start hooks, which send events out by HTTP."`
	Ingest     ingestCommand     `cmd:"" help:"Carry out the commands that backends write to Kafka."`
	Broker     brokerCommand     `cmd:"" help:"Start the embedded broker alone, which speaks the Kafka protocol."`
	Clickhouse clickhouseCommand `cmd:"" help:"Start the embedded ClickHouse alone."`
	Verify     verifyCommand     `cmd:"" help:"Compare log, checkpoints and history with each other."`
	Rebuild    rebuildCommand    `cmd:"" help:"Rebuild the tables in ClickHouse from the log, while chat continues."`
	Epoch      epochCommand      `cmd:"" help:"Begin a new epoch of the log."`
	Check      checkCommand      `cmd:"" help:"Check whether a command would start with these flags in this environment."`
	Health     healthCommand     `cmd:"" help:"Ask a running command whether it is ready."`
	Trace      traceCommand      `cmd:"" help:"Print the trace of a message, from Jaeger."`
	Topics     topicsCommand     `cmd:"" help:"Show, create or check the topics."`
	Tail       tailCommand       `cmd:"" help:"Print the events of the log."`
	SQL        sqlCommand        `cmd:"" name:"sql" help:"Run a statement in ClickHouse and print its result."`
	History    historyCommand    `cmd:"" help:"Print the messages of a channel."`
	Doctor     doctorCommand     `cmd:"" help:"Check settings and state against what the guarantees need."`
	Revoke     revokeCommand     `cmd:"" help:"End a user's tokens, or one token, before they expire."`
	Bar        barCommand        `cmd:"" help:"Keep a user out, or lift that."`
	Grant      grantCommand      `cmd:"" help:"Grant a user what their token does not."`
	Rules      rulesCommand      `cmd:"" help:"Show who is revoked, barred, and granted what."`
	APIKey     apiKeyCommand     `cmd:"" name:"api-key" help:"Make a key for a backend."`
	Admin      adminCommand      `cmd:"" help:"Publish, read and moderate from the shell, by the API for backends."`
	Format     formatCommand     `cmd:"" help:"Show or raise the format of the log."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	Completion completionCommand `cmd:"" help:"Print what makes a shell complete the command line."`
	Complete   completeCommand   `cmd:"" hidden:"" help:"Say what may follow, for a shell."`
}

// process is what a command gets from the one that runs it.
type process struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	unknown        []string // PARLEY_ variables that no command reads
}

// runner is a command: it runs until it is done or ctx ends.
type runner interface {
	Run(ctx context.Context, p process) error
}

// Run runs the command line args, without the program's name, and
// returns the exit code. An interrupt stops the command in order; a second one
// ends the process at once.
func Run(args []string, stdout, stderr io.Writer) int {
	p := process{stdin: os.Stdin, stdout: stdout, stderr: stderr}
	command, unknown, err := parse(args, stdout)
	p.unknown = unknown
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		fmt.Fprintf(stderr, "parley: %v (`parley --help` lists commands and flags)\n", err)
		return exitUsage
	}
	say := sayer(command, stderr)
	if _, service := command.(interface{ logsJSON() bool }); service {
		outliveTerminal()
	}
	ctx, stop := untilInterrupted(say)
	defer stop()
	err = sound(command)
	if err == nil {
		err = command.Run(ctx, p)
	}
	if err != nil {
		say(slog.LevelError, endingOf(err))
		var own *coded
		if errors.As(err, &own) {
			return own.code
		}
		return exitFailure
	}
	return exitOK
}

// endingOf is the sentence that a command ends with.
func endingOf(err error) string {
	if err == context.Canceled { // one with more text stays as it is
		return "interrupted"
	}
	return err.Error()
}

// errHelp reports that help was asked for and printed.
var errHelp = errors.New("help was printed")

// parse finds the command that args ask for, with its flags set, and the names
// of variables that no command reads.
func parse(args []string, stdout io.Writer) (command runner, unknown []string, err error) {
	line, err := newCommandLine(stdout)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := line.read(args)
	if err != nil {
		return nil, nil, err
	}
	command, err = commandOf(parsed)
	return command, unknownVariables(parsed.Model.Leaves(false), os.Environ()), err
}

// commandLine is every command, and the parser that sets their flags.
type commandLine struct {
	grammar
	parser *kong.Kong
	helped bool // help was asked for and printed
}

func newCommandLine(stdout io.Writer) (*commandLine, error) {
	line := new(commandLine)
	parser, err := kong.New(&line.grammar, append(language(),
		kong.Writers(stdout, stdout),
		kong.Exit(func(int) { line.helped = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.UsageOnError(),
	)...)
	if err != nil {
		return nil, fmt.Errorf("the command line is defined wrongly: %w", err)
	}
	guard(parser.Model.Node)
	line.parser = parser
	return line, nil
}

// read sets the flags of the command that args ask for.
func (l *commandLine) read(args []string) (*kong.Context, error) {
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := l.parser.Parse(args)
	if l.helped {
		return nil, errHelp
	}
	if err == nil {
		err = refuseEmpty(parsed)
	}
	if err == nil {
		err = refuseBeside(parsed)
	}
	if err != nil {
		return nil, oneLine(err, args)
	}
	return parsed, nil
}

// refuseEmpty refuses flags and variables that are set and empty, such as
// those whose template found nothing: they would, say, turn off authentication
// where somebody meant to turn it on. A flag with the tag empty means something by it.
func refuseEmpty(parsed *kong.Context) error {
	for _, group := range parsed.Selected().AllFlags(false) {
		for _, flag := range group {
			name, empty := setBy(parsed, flag), false
			switch {
			case strings.HasPrefix(name, "--"):
				empty = (flag.Target.Kind() == reflect.Slice || flag.Target.Kind() == reflect.String) && flag.Target.Len() == 0
			case name != "":
				empty = os.Getenv(name) == ""
			}
			if empty && !flag.Tag.Has("empty") {
				return fmt.Errorf("%s is set and empty: give it a value, or do not set it", name)
			}
		}
	}
	return nil
}

// language is how commands and flags are named and explained.
func language() []kong.Option {
	return []kong.Option{
		kong.Name("parley"),
		kong.Description(description),
		kong.DefaultEnvars("PARLEY"),
		kong.Vars{"clickhouse": clickhouse.DefaultDSN},
	}
}

// commandOf is the command that was asked for.
func commandOf(parsed *kong.Context) (runner, error) {
	command, ok := parsed.Selected().Target.Addr().Interface().(runner)
	if !ok {
		return nil, fmt.Errorf("the command line is defined wrongly: `parley %s` cannot run", parsed.Command())
	}
	return command, nil
}
