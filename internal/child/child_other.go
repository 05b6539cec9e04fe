//go:build !linux

package child

import "syscall"

// attributes keep a terminal's Ctrl-C from the child: the parent stops it
// in order. That its standard input ends is what tells it that the parent died.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
