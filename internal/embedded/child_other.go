//go:build !linux

package embedded

import "syscall"

// childAttributes keep a terminal's Ctrl-C from the child: the parent stops it
// in order. That its standard input ends is what tells it that the parent died.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
