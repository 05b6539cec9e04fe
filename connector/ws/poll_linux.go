//go:build linux && !parknever

package ws

import (
	"errors"
	"os"
	"syscall"
	"time"
)

const canPoll = true

// pollEvents is how many connections are woken at once.
const pollEvents = 128

// poll is an epoll instance, which Go's own poller watches: waiting for it takes no
// thread.
type poll struct {
	file *os.File
	raw  syscall.RawConn
}

func newPoll() (*poll, error) {
	fd, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := syscall.SetNonblock(fd, true); err != nil { // or Go does not watch it
		return nil, errors.Join(err, syscall.Close(fd))
	}
	f := os.NewFile(uintptr(fd), "epoll")
	raw, err := f.SyscallConn()
	if err == nil {
		err = f.SetReadDeadline(time.Time{}) // which fails where Go does not watch it
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &poll{f, raw}, nil
}

// add watches a connection once: the first that happens there is told with the ticket,
// and nothing after it. What was added before is still there, and is set up again.
func (p *poll) add(l *line, ticket int32) (err error) {
	event := syscall.EpollEvent{Events: syscall.EPOLLIN | syscall.EPOLLRDHUP | syscall.EPOLLONESHOT, Fd: ticket}
	broken := p.raw.Control(func(epoll uintptr) {
		gone := l.raw.Control(func(fd uintptr) {
			err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_ADD, int(fd), &event)
			if errors.Is(err, syscall.EEXIST) {
				err = syscall.EpollCtl(int(epoll), syscall.EPOLL_CTL_MOD, int(fd), &event)
			}
		})
		err = errors.Join(err, gone)
	})
	return errors.Join(broken, err)
}

// run tells what happens until close.
func (p *poll) run(wake func(tickets []int32)) {
	events, tickets := make([]syscall.EpollEvent, pollEvents), make([]int32, 0, pollEvents)
	for {
		var n int
		var err error
		closed := p.raw.Read(func(epoll uintptr) bool {
			n, err = syscall.EpollWait(int(epoll), events, 0)
			return n > 0 || err != nil && !errors.Is(err, syscall.EINTR)
		})
		if closed != nil {
			return
		}
		if err != nil {
			panic(os.NewSyscallError("epoll_wait", err)) // it has no other errors than those of its use
		}
		tickets = tickets[:0]
		for i := range n {
			tickets = append(tickets, events[i].Fd)
		}
		wake(tickets)
	}
}

// close ends run, which may be what calls it.
func (p *poll) close() { _ = p.file.Close() }
