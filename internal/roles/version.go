package roles

import "runtime/debug"

// Release is set by the linker: to the release, or to the output of `git describe`
// for the source.
var Release = ""

// Version is that of this program: the release, or what the build records of its
// source.
func Version() string {
	if Release != "" {
		return Release
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
