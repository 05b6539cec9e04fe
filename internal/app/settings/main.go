// Command settings writes docs/settings.md from the program's flags.
package main

import (
	"fmt"
	"os"

	"github.com/parley-chat/parley/internal/app/cli"
)

func main() {
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func write(name string) error {
	text, err := cli.Settings()
	if err != nil {
		return err
	}
	return os.WriteFile(name, text, 0o644) // #nosec G306 G703 -- a page of the documentation, written by `go generate`
}
