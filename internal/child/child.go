// Package child starts processes that end when this one does, even by kill -9.
package child

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// Process is a child. Its methods are safe for concurrent use.
type Process struct {
	*os.Process
	done chan struct{}
	err  error // how it ended; read after done
}

// Start starts the command and waits for its end in a goroutine that stays on
// one thread from start to end: the kernel signals the child that its parent
// died when the thread that started it does, and Go would be free to end that
// thread early. It replaces cmd.SysProcAttr.
//
// Unless it is nil, prepare is called first, on that thread, which does nothing
// else and ends after the child: what it changes of the thread, the child
// inherits and nothing else is affected.
func Start(cmd *exec.Cmd, prepare func() error) (*Process, error) {
	cmd.SysProcAttr = attributes()
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		var err error
		if prepare == nil {
			defer runtime.UnlockOSThread()
		} else {
			err = prepare()
		}
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	p.Process = cmd.Process
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err returns how the process ended, nil for exit code 0. Call it after Done.
func (p *Process) Err() error { return p.err }

// ForwardStop sends requests to stop on to the child until this process ends.
func (p *Process) ForwardStop() {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		_ = p.Signal(syscall.SIGTERM) // it may be gone already
	}()
}
