// Package freeport finds ports of 127.0.0.1 for servers that are started by
// address, as tests and benchmarks do, perhaps again and again.
//
// A port that the kernel chose and that was given back may go to whoever listens
// at port 0 next. These ports are below the range that it chooses from, and each
// process has a block of them, which it holds by listening at the block's first
// port, as HashiCorp's consul/sdk/freeport does.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"testing"
)

// The kernels of Linux choose from 32,768 on, others from higher ones.
const (
	lowest = 10_000
	blocks = 44
	size   = 500
)

// block is what this process hands out.
var block struct {
	mu    sync.Mutex
	first net.Listener // nil: no block yet
	next  int          // of the block's ports, to be tried next
}

// Take returns a port that nobody listens at. It was handed out before only if
// the process has asked for hundreds since. Safe for concurrent use.
func Take() (int, error) {
	block.mu.Lock()
	defer block.mu.Unlock()
	if block.first == nil {
		if err := claim(); err != nil {
			return 0, err
		}
	}
	base := block.first.Addr().(*net.TCPAddr).Port
	for range size - 1 {
		block.next = block.next%(size-1) + 1
		if ln, err := listen(base + block.next); err == nil {
			return base + block.next, ln.Close()
		}
	}
	return 0, fmt.Errorf("somebody listens at each port from %d to %d", base+1, base+size-1)
}

// Address is 127.0.0.1 with a port that Take returns.
func Address() (string, error) {
	port, err := Take()
	if err != nil {
		return "", err
	}
	return address(port), nil
}

// AddressFor is Address for a test, which ends where there is none.
func AddressFor(tb testing.TB) string {
	tb.Helper()
	addr, err := Address()
	if err != nil {
		tb.Fatal(err)
	}
	return addr
}

// claim finds a block that no other process has. The lock is held.
func claim() (err error) {
	for _, i := range rand.Perm(blocks) {
		if block.first, err = listen(lowest + i*size); err == nil {
			return nil
		}
	}
	return errors.New("other processes have all blocks of ports: end what is left of earlier tests")
}

func listen(port int) (net.Listener, error) { return net.Listen("tcp", address(port)) }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
