package chaos

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// process is one role, which can be killed and started again with the same
// arguments. Its methods are for one goroutine at a time, but for pid and
// failure.
type process struct {
	name  string
	args  []string
	addr  string // where it listens; "" for nowhere
	admin string // of a role: where it reports whether it is ready
	log   string // path

	binary string
	cmd    *exec.Cmd
	done   chan struct{} // closed when cmd has ended

	mu       sync.Mutex
	expected bool // that it ends
	died     error
}

// start starts the process; its log is appended to.
func (p *process) start() error {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer out.Close()
	cmd := exec.Command(p.binary, p.args...)
	cmd.Stdout, cmd.Stderr, cmd.SysProcAttr = out, out, childAttributes()
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.mu.Lock()
	p.cmd, p.done, p.expected = cmd, done, false
	p.mu.Unlock()
	go func() {
		defer close(done)
		err := cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		if !p.expected && p.died == nil {
			p.died = fmt.Errorf("%s ended on its own (%v): see %s", p.name, err, p.log)
		}
	}()
	return nil
}

func (p *process) expect(end bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expected = end
}

// pid is the id of the newest process.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.cmd.Process.Pid
}

// failure is that the process ended although nobody ended it; nil otherwise.
func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.died
}

// kill ends the process at once and waits until it is gone.
func (p *process) kill() {
	p.expect(true)
	_ = p.cmd.Process.Kill() // it may be gone already
	<-p.done
}

// stop ends the process in order, within patience.
func (p *process) stop(patience time.Duration) error {
	p.expect(true)
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(patience):
		p.kill()
		return fmt.Errorf("%s did not stop within %v", p.name, patience)
	}
}

func (p *process) pause() error  { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// listening waits until the process accepts connections or has ended.
func (p *process) listening(patience time.Duration) error {
	if p.addr == "" {
		return nil
	}
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if conn, err := net.DialTimeout("tcp", p.addr, time.Second); err == nil {
			return conn.Close()
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended while it was starting: see %s", p.name, p.log)
		default:
		}
	}
	return fmt.Errorf("%s does not listen at %s after %v: see %s", p.name, p.addr, patience, p.log)
}

// Build compiles the program that the runs start into folder. root is the
// module's; flags are more of go build's.
func Build(folder, root string, flags ...string) (string, error) {
	binary := filepath.Join(folder, "parley")
	cmd := exec.Command("go", append(append([]string{"build"}, flags...), "-o", binary, ".")...)
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build parley: %w\n%s", err, out)
	}
	return binary, nil
}
