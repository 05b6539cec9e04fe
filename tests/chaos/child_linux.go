package chaos

import "syscall"

// childAttributes let the kernel end the processes with the run, and keep a
// terminal's Ctrl-C from them.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
