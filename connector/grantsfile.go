package connector

import (
	"context"
	"log/slog"
	"os"

	"github.com/parley-chat/parley/connector/grants"
	"github.com/parley-chat/parley/internal/files"
)

// GrantsFile is a file with grants for every user, which is read again on
// request. A nil GrantsFile grants nothing. Safe for concurrent use.
type GrantsFile struct {
	file *files.Kept[grants.List]
	path string
	log  *slog.Logger
}

// OpenGrants reads a file of grants. Its error names the file, and what to write
// into it.
func OpenGrants(path string, log *slog.Logger) (*GrantsFile, error) {
	file, err := files.Keep(files.Kind[grants.List]{
		Name: "the file of grants", Holds: "grants", Most: grants.MaxFile, Parse: parseGrants,
	}, path, log)
	if err != nil {
		return nil, err
	}
	return &GrantsFile{file, path, log}, nil
}

func parseGrants(text []byte) (list grants.List, unknown []string, err error) {
	if list, unknown, err = grants.ParseFile(text); err == nil {
		list = list.Shared() // every session is compiled with it
	}
	return list, unknown, err
}

// Grants are those that the file had when it was last read and could be used.
func (f *GrantsFile) Grants() grants.List {
	if f == nil {
		return grants.List{}
	}
	return *f.file.Current()
}

// list is Grants, the same pointer until the file was read again; nil without a
// file.
func (f *GrantsFile) list() *grants.List {
	if f == nil {
		return nil
	}
	return f.file.Current()
}

// Reload reads the file again. One that cannot be used changes nothing, and is
// logged with what is wrong with it.
func (f *GrantsFile) Reload() {
	if f.file.Reload() {
		f.log.Info("the file of grants was read again", "file", f.path)
	}
}

// FollowFiles reads the files of grants and of API keys, where there are any, again at
// each signal, until the context or the channel ends.
func (cfg *Config) FollowFiles(ctx context.Context, again <-chan os.Signal) {
	for {
		select {
		case <-ctx.Done():
			return
		case _, open := <-again:
			if !open {
				return
			}
		}
		if cfg.Grants != nil {
			cfg.Grants.Reload()
		}
		if cfg.API.Keys != nil {
			cfg.API.Keys.Reload()
		}
	}
}
