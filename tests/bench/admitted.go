package main

import (
	"context"
	"fmt"
	"math"

	"github.com/parley-chat/parley/internal/files"
)

const (
	// ownDescriptors are this process's, beside those of its connections.
	ownDescriptors = 100
	// asides are connections that come beside those that are counted: newcomers,
	// probers and those who overload a partition.
	asides = 300
	// fewest are worth measuring where more were wanted.
	fewest = 1000
)

// atMost is how many of the connections that are wanted can be open at once, by what
// the server admits and by the file descriptors of this process. Where these are
// fewer, a row says so.
func (b *bench) atMost(ctx context.Context, wanted int) (int, error) {
	admitted := int(number(b.metrics(ctx), "parley_connector_connections_limit"))
	if admitted == 0 {
		return 0, fmt.Errorf("the server's metrics at %q do not say how many connections it admits", b.admin)
	}
	open := math.MaxInt32
	if limit, err := files.Limit(); err == nil { // the runtime has raised it as far as it may
		open = int(min(limit, math.MaxInt32)) - ownDescriptors
	}
	n := min(wanted, admitted-asides, open-asides)
	switch {
	case n < wanted && n < fewest:
		return 0, fmt.Errorf("the server admits %d connections and this process has file descriptors for %d, which is too few to measure: raise the limit of open files (`ulimit -n`)", admitted, open)
	case n < wanted:
		b.row("connections that come", "%d in place of %d, since the server admits %d and this process has file descriptors for %d: for more, raise the limit of open files (`ulimit -n`)", n, wanted, admitted, open)
	}
	return n, nil
}
