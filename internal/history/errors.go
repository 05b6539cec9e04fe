package history

import "errors"

var (
	// ErrUnavailable means that ClickHouse cannot be read now. The log can,
	// with ReadLog.
	ErrUnavailable = errors.New("ClickHouse cannot be read now")
	// ErrTail means that the part of the log that is not in ClickHouse yet is
	// too long to be read within its budget: the projector lags far behind.
	ErrTail = errors.New("the part of the log that is not in ClickHouse yet is too long to be read for one answer")
	// ErrEpoch means that there was no such epoch.
	ErrEpoch = errors.New("no such epoch of the log is known")
	// ErrClosed means that the reader was closed.
	ErrClosed = errors.New("the history reader is closed")
)
