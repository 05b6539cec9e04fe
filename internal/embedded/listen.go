package embedded

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"
)

// portPatience is how long a start waits for a port that a predecessor is just
// giving up.
const portPatience = 3 * time.Second

// Listen opens a TCP listener at a host:port address; port 0 takes any free
// one. A port in use is waited for shortly, then the error names the process
// that has it where that can be seen, and flag as the way to choose another.
func Listen(ctx context.Context, addr, flag string) (net.Listener, error) {
	var lc net.ListenConfig
	deadline := time.Now().Add(portPatience)
	for {
		ln, err := lc.Listen(ctx, "tcp", addr)
		if err == nil {
			return ln, nil
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return nil, cannotListen(addr, flag, err)
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("address %s is in use by %s: stop it or choose another with %s (port 0 takes any free one)", addr, portOwner(addr), flag)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("address %s is in use by %s: %w", addr, portOwner(addr), ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}

// firstFreePort is the first that needs no privilege.
const firstFreePort = 1024

// CheckListen reports an address that Listen would refuse: a name without an
// address, an address of another machine, a port that needs a privilege. Whether
// it is in use only Listen knows.
func CheckListen(addr, flag string) error {
	at, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		return cannotListen(addr, flag, err)
	}
	if at.Port >= firstFreePort {
		at.Port = 0 // its own may be another's, who must not be disturbed
	}
	ln, err := net.ListenTCP("tcp", at)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil
	}
	if err != nil {
		return cannotListen(addr, flag, err)
	}
	return ln.Close()
}

// cannotListen explains why an address cannot be listened at; it was checked to
// hold no password.
func cannotListen(addr, flag string, err error) error {
	var call *os.SyscallError
	var name *net.DNSError
	switch {
	case errors.As(err, &call):
		err = call.Err
	case errors.As(err, &name):
		err = errors.New(name.Err)
	}
	return fmt.Errorf("%s: this machine cannot listen at %s: %w", flag, addr, err)
}

// reserve finds a port for a server that binds it itself: it listens at addr,
// closes and returns the address with its port.
func reserve(ctx context.Context, addr, flag string) (string, error) {
	ln, err := Listen(ctx, addr, flag)
	if err != nil {
		return "", err
	}
	bound := ln.Addr().String()
	if err := ln.Close(); err != nil {
		return "", fmt.Errorf("cannot listen at %s: %w", addr, err)
	}
	return bound, nil
}

// portOwner describes the process that listens at addr.
func portOwner(addr string) string {
	_, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "another process"
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return "another process"
	}
	if owner := listenerProcess(port); owner != "" {
		return owner
	}
	return "another process"
}
