//go:build !linux

package child

import "syscall"

// attributes keep a terminal's Ctrl-C from the child: the parent stops it
// in order. The end of its standard input signals it that the parent died.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
