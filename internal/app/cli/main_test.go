package cli_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

const patience = time.Minute

// programEnv makes this test binary behave as the parley program.
const programEnv = "PARLEY_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(programEnv) != "" {
		os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
	}
	embeddedtest.Main(m)
}

// program is a running parley.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	ended chan error

	mu     sync.Mutex
	output bytes.Buffer // both streams
}

// begin starts `parley args…`; it is killed at the end of the test.
func begin(t *testing.T, args ...string) *program {
	t.Helper()
	return beginCommand(t, exec.Command(os.Args[0], args...))
}

// beginCommand starts a command that becomes parley.
func beginCommand(t *testing.T, cmd *exec.Cmd) *program {
	t.Helper()
	p := &program{t: t, cmd: cmd, ended: make(chan error, 1)}
	p.cmd.Env = append(os.Environ(), programEnv+"=1")
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.cmd.Stderr = p.cmd.Stdout
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.copy(out)
		p.ended <- p.cmd.Wait()
	}()
	t.Cleanup(func() {
		if p.cmd.Process.Kill() == nil {
			<-p.ended
		}
	})
	return p
}

func (p *program) copy(out io.Reader) {
	for lines := bufio.NewScanner(out); lines.Scan(); {
		p.mu.Lock()
		fmt.Fprintln(&p.output, lines.Text())
		p.mu.Unlock()
	}
}

func (p *program) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.output.String()
}

// find waits until the output matches and returns the first group.
func (p *program) find(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for deadline := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if found := re.FindStringSubmatch(p.said()); found != nil {
			return found[len(found)-1]
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("it never says %s:\n%s", pattern, p.said())
		}
	}
}

func (p *program) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// exitCode waits for the end; a process that a signal ended has -1.
func (p *program) exitCode() int {
	p.t.Helper()
	select {
	case err := <-p.ended:
		p.ended <- err
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(patience):
		p.t.Fatalf("it does not end:\n%s", p.said())
		return 0
	}
}

// kill ends the program as kill -9 does.
func (p *program) kill() {
	p.t.Helper()
	p.signal(syscall.SIGKILL)
	p.exitCode()
}

// status is what a URL answers, or 0 when nobody does.
func status(url string) int {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	res, err := client.Get(url)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	return res.StatusCode
}
