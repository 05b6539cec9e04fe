package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
)

const (
	// maxLogFile is the size in bytes at which a log file is rotated; the one
	// before is kept.
	maxLogFile = 8 << 20
	// maxTrace is how much of a rotated log its successor begins with, in bytes:
	// the trace of a crash is written last, and is to be in one file.
	maxTrace = 1 << 20
)

// logFile is a log of bounded size: what was written last is in its file, and
// what was before that in path.1. One goroutine at a time writes.
type logFile struct {
	path string
	file *os.File
	size int
	from int // where what this writer wrote begins
}

// newLogFile continues the log at path, after what is there: what a crash left
// is not pushed out by the starts that follow.
func newLogFile(path string) (*logFile, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("log file cannot be opened: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("log file cannot be opened: %w", err), file.Close())
	}
	return &logFile{path: path, file: file, size: int(info.Size()), from: int(info.Size())}, nil
}

// rotate keeps the file as path.1 and begins another one with its last lines.
func (l *logFile) rotate() error {
	text, err := os.ReadFile(l.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("log file cannot be kept: %w", err)
	}
	last := text[max(0, len(text)-maxTrace):]
	last = last[bytes.IndexByte(last, '\n')+1:]
	if err := os.Rename(l.path, l.path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("log file cannot be kept: %w", err)
	}
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log file cannot be started: %w", err)
	}
	l.file, l.size, l.from = file, len(last), max(0, l.from-(len(text)-len(last)))
	if _, err := file.Write(last); err != nil {
		return fmt.Errorf("log file cannot be started: %w", err)
	}
	return nil
}

// Write appends to the log.
func (l *logFile) Write(p []byte) (int, error) {
	if l.size+len(p) > maxLogFile && l.size > 0 {
		if err := errors.Join(l.file.Close(), l.rotate()); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += n
	return n, err
}

// Close ends the log.
func (l *logFile) Close() error { return l.file.Close() }
