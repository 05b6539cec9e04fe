package kraft

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/parley-chat/parley/internal/child"
)

// Node is one node of a cluster. Its methods are for one goroutine at a time.
type Node struct {
	// ID is its node.id, from 1 on.
	ID int

	port, controller, secure int
	script, dir              string
	settings, env            []string
	process                  *child.Process // nil before the first start
}

// Addr is where the node listens without encryption or authentication.
func (n *Node) Addr() string { return addrOf(n.port) }

// Log is the file with the node's output.
func (n *Node) Log() string { return n.dir + ".log" }

// Data is the folder with the node's log segments, a folder in it for each
// partition.
func (n *Node) Data() string { return filepath.Join(n.dir, "log") }

// PID is the id of the node's newest process.
func (n *Node) PID() int { return n.process.Pid }

// Command is what runs the node, in the foreground and until SIGTERM.
func (n *Node) Command() (program string, args []string) {
	return n.script, append([]string{n.dir}, n.settings...)
}

func (n *Node) launch() error {
	if err := os.MkdirAll(filepath.Dir(n.dir), 0o755); err != nil {
		return fmt.Errorf("make a folder for Kafka: %w", err)
	}
	out, err := os.OpenFile(n.Log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("open the log of node %d: %w", n.ID, err)
	}
	defer out.Close()
	program, args := n.Command()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr, cmd.Env = out, out, n.env
	p, err := child.Start(cmd, nil)
	if err != nil {
		return fmt.Errorf("start node %d: %w", n.ID, err)
	}
	n.process = p
	return nil
}

// earlyEnd explains why the node ended before it was ready.
func (n *Node) earlyEnd() error {
	return fmt.Errorf("node %d of Kafka ended while it was starting (%w): see %s", n.ID, n.process.Err(), n.Log())
}

// Kill ends the node at once, and waits until it is gone.
func (n *Node) Kill() {
	if n.process == nil {
		return
	}
	_ = n.process.Kill() // it may be gone already
	<-n.process.Done()
}

// Stop ends the node in order: leadership moves away first. It kills the node
// when ctx ends before that.
func (n *Node) Stop(ctx context.Context) error {
	if n.process == nil {
		return nil
	}
	_ = n.process.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-n.process.Done():
		return nil
	case <-ctx.Done():
		n.Kill()
		return fmt.Errorf("node %d did not stop (see %s): %w", n.ID, n.Log(), context.Cause(ctx))
	}
}

// Pause lets the node sleep, until Resume.
func (n *Node) Pause() error { return n.process.Signal(syscall.SIGSTOP) }

// Resume wakes the node up.
func (n *Node) Resume() error { return n.process.Signal(syscall.SIGCONT) }

// Lose deletes what a node that does not run has kept, as the loss of its
// machine does. It may be restarted, empty.
func (n *Node) Lose() error {
	if err := os.RemoveAll(n.dir); err != nil {
		return fmt.Errorf("delete the data of node %d: %w", n.ID, err)
	}
	return nil
}
