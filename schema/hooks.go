package schema

import "strings"

// Keys of parley.hooks that follow the name of what they belong to. A member's is
// that of parley.state, the claim and the marker are too.
const (
	// HooksKeyFrom is the key of a HooksFrom.
	HooksKeyFrom = "from"
	// HooksKeySkip is the key of a HooksFrom that an operator wrote.
	HooksKeySkip = "skip"
)

// HooksKey is a key of parley.hooks: one of a name, which holds no slash.
func HooksKey(name, key string) string { return name + "/" + key }

// HooksOf is the name and the rest of a key of parley.hooks.
func HooksOf(key string) (name, rest string, ok bool) { return strings.Cut(key, "/") }
