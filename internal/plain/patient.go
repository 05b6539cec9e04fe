package plain

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// acceptPause is the wait after an error that passes.
const acceptPause = 50 * time.Millisecond

// Patient is a listener that continues after temporary errors: no descriptor or
// memory is free, or the client has left already. net/http continues after some
// of them, and ends after the others.
type Patient struct {
	net.Listener
	OnError func(error) // called for each error; nil: nothing to do
}

// Accept implements net.Listener. Whoever closes the listener may wait for a
// moment until it returns.
func (p Patient) Accept() (net.Conn, error) {
	for {
		conn, err := p.Listener.Accept()
		if err != nil && p.OnError != nil {
			p.OnError(err)
		}
		if err == nil || !passes(err) {
			return conn, err
		}
		time.Sleep(acceptPause)
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
