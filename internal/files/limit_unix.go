//go:build unix

package files

import "syscall"

// Limit is how many descriptors this process may have open: the soft limit,
// which the runtime has raised to the hard one where it could.
func Limit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return uint64(limit.Cur), nil
}
