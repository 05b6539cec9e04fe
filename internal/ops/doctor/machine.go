package doctor

import (
	"context"

	"github.com/parley-chat/parley/internal/files"
)

// enoughFiles is what a connector of the default 100,000 connections needs.
const enoughFiles = 110_000

// checkMachine checks the machine on which the doctor runs, which may also run
// a role.
func (x *examination) checkMachine(context.Context) error {
	limit, err := files.Limit()
	switch {
	case err != nil:
		x.find(Note, "this machine", "")("how many files a process may open is not known: %v", err)
	case limit < enoughFiles:
		x.find(Warning, "this machine", "raise it with `ulimit -n`, or LimitNOFILE of systemd, where a connector is to serve many clients")(
			"a process may open %d files: each client takes one, and a connector takes 100,000 clients by default", limit)
	}
	return nil
}
