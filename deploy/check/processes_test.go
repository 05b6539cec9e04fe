package check

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; none is expected to last.
const patience = time.Minute

// need skips a test by name where a program is missing; CI must have it.
func need(t *testing.T, program, how string) string {
	t.Helper()
	for _, name := range []string{program, "/usr/sbin/" + program, "/usr/local/sbin/" + program} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, program+" is not installed: "+how)
	return ""
}

// needFile is need for a file of the source tree.
func needFile(t *testing.T, pattern, how string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		t.Fatal(err)
	}
	if len(found) == 0 {
		missing(t, "there is no "+pattern+": "+how)
	}
	return found[0]
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// process is a program that runs until the end of the test.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	done chan struct{}

	mu  sync.Mutex
	out bytes.Buffer
}

// Write implements io.Writer for what the process says.
func (p *process) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.Write(text)
}

func (p *process) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

func start(t *testing.T, path string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p, p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // how it ends is the tests' doing
	}()
	t.Cleanup(func() {
		p.end(syscall.SIGTERM)
		if t.Failed() {
			t.Logf("%s %v said:\n%s", path, args, p.said())
		}
	})
	return p
}

// end sends a signal and waits for the end of the process.
func (p *process) end(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // it may have ended
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		p.t.Errorf("%v does not end on %v", p.cmd.Args, s)
	}
}

// find waits until the process says something that matches, and returns the
// group in it.
func (p *process) find(pattern string) (group string) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	eventually(p.t, strings.Join(p.cmd.Args, " ")+" says "+pattern, func() bool {
		found := re.FindStringSubmatch(p.said())
		if found != nil {
			group = found[1]
		}
		return found != nil
	})
	return group
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %v not yet: %s", patience, what)
		}
	}
}

// nextPort is of those below the range from which the kernel chooses: one of that
// range may be taken by any connection as soon as it is given back.
var nextPort = 10_000 + rand.IntN(20_000)

// freeAddr is an address at which nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	for range 1000 {
		nextPort++
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(nextPort)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("somebody listens at a thousand ports")
	return ""
}

// ready waits until /readyz of a role says so.
func (p *process) ready() *process {
	p.t.Helper()
	admin := p.find(`health is served" address=(\S+)`)
	eventually(p.t, strings.Join(p.cmd.Args, " ")+" is ready", func() bool {
		res, err := http.Get("http://" + admin + "/readyz")
		if err != nil {
			return false
		}
		defer res.Body.Close()
		return res.StatusCode == http.StatusOK
	})
	return p
}

// gone fails when a path is there.
func gone(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
}
