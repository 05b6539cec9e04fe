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
	file *files.Kept[grants.File]
	path string
	log  *slog.Logger
}

// OpenGrants reads a file of grants. Its error names the file, and what to write
// into it.
func OpenGrants(path string, log *slog.Logger) (*GrantsFile, error) {
	file, err := files.Keep(files.Kind[grants.File]{
		Name: "the file of grants", Holds: "grants", Most: grants.MaxFile, Parse: parseGrants,
	}, path, log)
	if err != nil {
		return nil, err
	}
	return &GrantsFile{file, path, log}, nil
}

func parseGrants(text []byte) (file grants.File, unknown []string, err error) {
	if file, unknown, err = grants.ParseFile(text); err == nil {
		file.Grants = file.Grants.Shared() // every session is compiled with it
	}
	return file, unknown, err
}

// Grants are those that the file had when it was last read and could be used.
func (f *GrantsFile) Grants() grants.List {
	if f == nil {
		return grants.List{}
	}
	return f.file.Current().Grants
}

// screens reports whether texts in a channel are screened: all are where the file, if
// there is one, names none.
func (f *GrantsFile) screens(channel string) bool {
	return f == nil || f.file.Current().Hooks.Has(channel)
}

// list is Grants, the same pointer until the file was read again; nil without a
// file.
func (f *GrantsFile) list() *grants.List {
	if f == nil {
		return nil
	}
	return &f.file.Current().Grants
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
