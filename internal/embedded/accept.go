package embedded

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// acceptPause is the wait after an error that passes.
const acceptPause = 50 * time.Millisecond

// accept waits for the next connection. It goes on after errors that are of the
// moment: no descriptor or memory is free, or the client is gone already.
func accept(ln net.Listener) (net.Conn, error) {
	for {
		conn, err := ln.Accept()
		if err == nil || !passes(err) {
			return conn, err
		}
		time.Sleep(acceptPause) // the listener's owner may wait this long for its end
	}
}

func passes(err error) bool {
	for _, of := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EINTR} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}
