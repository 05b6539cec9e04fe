package cli

import (
	"context"
	"fmt"
	"runtime"

	"github.com/parley-chat/parley/internal/roles"
)

type versionCommand struct{}

// Run prints version, revision and compiler.
func (versionCommand) Run(_ context.Context, p process) error {
	_, err := fmt.Fprintf(p.stdout, "parley %s (%s, %s/%s)\n", roles.Version(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
