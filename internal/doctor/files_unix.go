//go:build unix

package doctor

import "syscall"

// fileLimit is how many files a process may open. The runtime raises the soft
// limit to the hard one by itself.
func fileLimit() (uint64, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 0, err
	}
	return uint64(limit.Max), nil
}
