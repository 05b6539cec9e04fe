package child

import "syscall"

// attributes let the kernel end the child when its parent is killed, and
// keep a terminal's Ctrl-C from it: the parent stops it in order.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
