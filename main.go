// Command parley is an event-sourced chat backend: one program, a subcommand
// for each role, and `parley up` for all of them at once.
package main

import (
	"os"

	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/embedded"
)

func main() {
	embedded.RunEngineIfAsked()
	os.Exit(cli.Run(os.Args[1:], os.Stdout, os.Stderr))
}
