package embedded

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/parley-chat/parley/internal/child"
)

// engineCommand is the first argument with which this program's binary becomes
// the ClickHouse child.
const engineCommand = "clickhouse-engine"

// RunEngineIfAsked turns this process into the ClickHouse child when it was
// started as one, and then never returns. Every program that calls
// StartClickHouse calls it first thing in main: the child is the same binary.
func RunEngineIfAsked() {
	if len(os.Args) < 2 || os.Args[1] != engineCommand {
		return
	}
	// The engine writes to sockets whose clients may have cut them. Ignored, the
	// signal becomes the error that the engine expects; else Go, finding it on a
	// thread that is not its own, would end the process with it.
	signal.Ignore(syscall.SIGPIPE)
	go dieWithParent()
	e, args, err := parseEngineArgs(os.Args[2:])
	if err == nil && e.program != "" {
		err = runProgram(e.program, args)
	} else if err == nil {
		err = runLibrary(e.library, args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// dieWithParent ends the process when standard input does: the parent holds
// the other end and never writes, so it ends with the parent, however that
// happens. Nothing needs to be tidied up: ClickHouse survives a kill.
func dieWithParent() {
	_, _ = io.Copy(io.Discard, bufio.NewReader(os.Stdin)) // its end is all that counts
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// engineArgs is the engine in the form that parseEngineArgs reads.
func engineArgs(e engine) []string {
	if e.program != "" {
		return []string{engineCommand, "program", e.program}
	}
	return []string{engineCommand, "library", e.library}
}

func parseEngineArgs(args []string) (engine, []string, error) {
	if len(args) < 2 {
		return engine{}, nil, errors.New("the ClickHouse child was started without its engine")
	}
	switch args[0] {
	case "program":
		return engine{program: args[1]}, args[2:], nil
	case "library":
		return engine{library: args[1]}, args[2:], nil
	}
	return engine{}, nil, fmt.Errorf("unknown kind of engine for the ClickHouse child: %q", args[0])
}

// runProgram runs an installed clickhouse in place of the library and passes
// the signal to stop on to it.
func runProgram(path string, args []string) error {
	cmd := exec.Command(path, append([]string{"local"}, args...)...) // #nosec G204 G702 -- the operator names the program; no shell is involved
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	process, err := child.Start(cmd, nil)
	if err != nil {
		return fmt.Errorf("the ClickHouse program %s cannot be started: %w", path, err)
	}
	process.ForwardStop()
	<-process.Done()
	if process.Err() != nil {
		return fmt.Errorf("the ClickHouse program %s ended: %w", path, process.Err())
	}
	return nil
}

// engineFlags makes a server out of clickhouse-local: it opens the ports and
// then runs a query that never ends and costs nothing. Without httpPort there is
// no HTTP. The configuration holds who may log in, and the rest.
func engineFlags(dir, config, host, tcpPort, httpPort string) []string {
	query := []string{"SYSTEM START LISTEN TCP"}
	if httpPort != "" {
		query = append(query, "SYSTEM START LISTEN HTTP")
	}
	query = append(query, "SELECT sleepEachRow(1) FROM system.numbers SETTINGS max_block_size=1 FORMAT Null")
	flags := []string{
		"--config-file=" + config,
		"--path=" + dir,
		"--listen_host=" + host,
		"--tcp_port=" + tcpPort,
		"--log-level=error",
		"--logger.console=1",
		"--query", strings.Join(query, "; "),
	}
	if httpPort != "" {
		flags = append(flags, "--http_port="+httpPort)
	}
	return flags
}
