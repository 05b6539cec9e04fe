package embedded

import (
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
)

// child is a process that ends with this one.
type child struct {
	process *os.Process
	done    chan struct{} // closed when the process has ended
	err     error         // how it ended; read after done
}

// startChild starts the command and waits for its end in a goroutine that
// stays on one thread from start to end: the kernel tells the child that its
// parent died when the thread that started it does, and Go would be free to
// end that thread early.
func startChild(cmd *exec.Cmd) (*child, error) {
	cmd.SysProcAttr = childAttributes()
	c := &child{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		c.err = cmd.Wait()
		close(c.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	c.process = cmd.Process
	return c, nil
}

// forwardStop sends a request to stop on to the child until this process ends.
func forwardStop(c *child) {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		<-stop
		_ = c.process.Signal(syscall.SIGTERM) // it may be gone already
	}()
}
