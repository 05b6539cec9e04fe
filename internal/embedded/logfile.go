package embedded

import (
	"errors"
	"fmt"
	"os"
)

// maxLogFile is the size in bytes at which a log file is begun anew; the one
// before is kept.
const maxLogFile = 8 << 20

// logFile is a log of bounded size. One goroutine at a time writes.
type logFile struct {
	path string
	file *os.File
	size int
}

// newLogFile begins a log at path, and keeps the one that is there as path.1.
func newLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.begin()
}

func (l *logFile) begin() error {
	if err := os.Rename(l.path, l.path+".1"); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("log file cannot be kept: %w", err)
	}
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("log file cannot be begun: %w", err)
	}
	l.file, l.size = file, 0
	return nil
}

// Write appends to the log.
func (l *logFile) Write(p []byte) (int, error) {
	if l.size+len(p) > maxLogFile && l.size > 0 {
		if err := errors.Join(l.file.Close(), l.begin()); err != nil {
			return 0, err
		}
	}
	n, err := l.file.Write(p)
	l.size += n
	return n, err
}

// Close ends the log.
func (l *logFile) Close() error { return l.file.Close() }
