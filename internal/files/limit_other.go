//go:build !unix

package files

import "errors"

// Limit is how many descriptors this process may have open.
func Limit() (uint64, error) { return 0, errors.ErrUnsupported }
