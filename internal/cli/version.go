package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Version is set by the linker: to the release, or to what `git describe` says
// of the source.
var Version = ""

type versionCommand struct{}

// Run prints version, revision and compiler.
func (versionCommand) Run(_ context.Context, p process) error {
	_, err := fmt.Fprintf(p.stdout, "parley %s (%s, %s/%s)\n", version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// version is the release, or what the build knows of the source it is from.
func version() string {
	if Version != "" {
		return Version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of unknown origin"
	}
	// The version of a module that was fetched, as by go install.
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	revision, changed := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changed = ", changed"
		}
	}
	if revision == "" {
		return "from source"
	}
	return "from source " + revision[:min(12, len(revision))] + changed
}
