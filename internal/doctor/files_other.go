//go:build !unix

package doctor

import "errors"

func fileLimit() (uint64, error) { return 0, errors.ErrUnsupported }
