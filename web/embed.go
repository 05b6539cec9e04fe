// Package web holds the browser chat page, compiled into the binary, and the
// HTTP handler that serves it. The page is built by "npm run build" in this
// folder; a binary compiled without that step serves a page that says so.
package web

import (
	"embed"
	"io/fs"
)

// built holds the page that npm built, or nothing but a marker file on a fresh
// clone, so that the module compiles without npm.
//
//go:embed all:dist
var built embed.FS

//go:embed placeholder
var placeholder embed.FS

// Built reports whether the chat page was compiled into this binary. Where it
// was not, [Handler] serves a page that says how to build it.
func Built() bool {
	_, err := fs.Stat(built, "dist/index.html")
	return err == nil
}

// files returns the tree to serve, with index.html at its root.
func files() fs.FS {
	tree, root := fs.FS(placeholder), "placeholder"
	if Built() {
		tree, root = built, "dist"
	}
	sub, err := fs.Sub(tree, root)
	if err != nil {
		panic(err) // root is a constant and a valid path
	}
	return sub
}
