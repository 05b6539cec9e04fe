// Package files knows whether this process has file descriptors left, and reads
// files of settings.
package files

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// spare is the part of the descriptors that is kept for what is opened next:
// with fewer, connections to clients and servers begin to fail.
const spare = 0.02

// Trouble reports that this process is running out of file descriptors; "" when
// it is not, or where the system does not report them. It takes microseconds.
func Trouble() string {
	limit, err := Limit()
	if err != nil {
		return ""
	}
	const remedy = "raise the limit with `ulimit -n`, or LimitNOFILE of systemd"
	used, err := lowest()
	switch {
	case errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE):
		return fmt.Sprintf("no file descriptor is left, this process may have %d: %s", limit, remedy)
	case err != nil:
		return ""
	case float64(used) >= float64(limit)*(1-spare):
		return fmt.Sprintf("%d of the %d file descriptors that this process may have are open: %s", used, limit, remedy)
	}
	return ""
}

// lowest is the lowest descriptor that is free: all below it are open.
func lowest() (uintptr, error) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return f.Fd(), nil
}
