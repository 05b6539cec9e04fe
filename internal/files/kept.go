package files

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/internal/quote"
)

// Kind is a kind of file that is kept: its names in sentences, and how it is read.
type Kind[T any] struct {
	Name  string // such as "the file of grants"
	Holds string // such as "grants"
	Most  int64  // bytes
	// Parse reads the text. unknown are actions in it that are ignored.
	Parse func(text []byte) (is T, unknown []string, err error)
}

// Kept is what a file says, which is read again on request. Safe for concurrent use.
type Kept[T any] struct {
	kind Kind[T]
	path string
	log  *slog.Logger

	reading sync.Mutex // so that what is read last is in force
	current atomic.Pointer[T]
}

// Keep reads a file. Its error names the file, and what to write into it.
func Keep[T any](kind Kind[T], path string, log *slog.Logger) (*Kept[T], error) {
	k := &Kept[T]{kind: kind, path: path, log: log}
	if err := k.read(); err != nil {
		return nil, err
	}
	return k, nil
}

// Current is what the file said when it was last read and could be used: the same
// pointer until it is read again. It is not to be changed.
func (k *Kept[T]) Current() *T { return k.current.Load() }

// Reload reads the file again. One that cannot be used changes nothing, and is logged
// with what is wrong with it; false: so it was.
func (k *Kept[T]) Reload() bool {
	err := k.read()
	if err != nil {
		k.log.Error(err.Error() + "; the " + k.kind.Holds + " that were read before stay in force: fix the file, and send SIGHUP again")
	}
	return err == nil
}

func (k *Kept[T]) read() error {
	k.reading.Lock()
	defer k.reading.Unlock()
	text, err := Read(k.path, k.kind.Most)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", quote.Named(k.kind.Name, k.path), quote.Reason(err))
	}
	is, unknown, err := k.kind.Parse(text)
	if err != nil {
		return fmt.Errorf("%s cannot be used: %w", quote.Named(k.kind.Name, k.path), err)
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		k.log.Warn("actions in "+k.kind.Name+" are not known to this version, and ignored: check their spelling",
			"file", k.path, "actions", strings.Join(slices.Compact(unknown), ", "))
	}
	k.current.Store(&is)
	return nil
}
