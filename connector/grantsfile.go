package connector

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/files"
	"github.com/parley-chat/parley/internal/quote"
)

// GrantsFile is a file with grants for every user, which is read again on
// request. A nil GrantsFile grants nothing. Safe for concurrent use.
type GrantsFile struct {
	path string
	log  *slog.Logger

	reading sync.Mutex // so that what is read last is in force
	current atomic.Pointer[grants.List]
}

// OpenGrants reads a file of grants. Its error names the file, and what to write
// into it.
func OpenGrants(path string, log *slog.Logger) (*GrantsFile, error) {
	f := &GrantsFile{path: path, log: log}
	if err := f.read(); err != nil {
		return nil, err
	}
	return f, nil
}

// Grants are those that the file had when it was last read and could be used.
func (f *GrantsFile) Grants() grants.List {
	if f == nil {
		return grants.List{}
	}
	return *f.current.Load()
}

// list is Grants, the same pointer until the file was read again; nil without a
// file.
func (f *GrantsFile) list() *grants.List {
	if f == nil {
		return nil
	}
	return f.current.Load()
}

// Reload reads the file again. One that cannot be used changes nothing, and is
// logged with what is wrong with it.
func (f *GrantsFile) Reload() {
	if err := f.read(); err != nil {
		f.log.Error(err.Error() + "; the grants that were read before stay in force: fix the file, and send SIGHUP again")
		return
	}
	f.log.Info("the file of grants was read again", "file", f.path)
}

// Follow reads the file again at each signal, until the context or the channel
// ends.
func (f *GrantsFile) Follow(ctx context.Context, again <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-again:
			if !open {
				return
			}
			f.Reload()
		}
	}
}

func (f *GrantsFile) read() error {
	f.reading.Lock()
	defer f.reading.Unlock()
	text, err := files.Read(f.path, grants.MaxFile)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", quote.Named("the file of grants", f.path), quote.Reason(err))
	}
	list, unknown, err := grants.ParseFile(text)
	if err != nil {
		return fmt.Errorf("%s cannot be used: %w", quote.Named("the file of grants", f.path), err)
	}
	if len(unknown) > 0 {
		slices.Sort(unknown)
		f.log.Warn("actions in the file of grants are not known to this version, and ignored: check their spelling",
			"file", f.path, "actions", strings.Join(slices.Compact(unknown), ", "))
	}
	list = list.Shared() // every session is compiled with it
	f.current.Store(&list)
	return nil
}
