package trace

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// Show prints the trace of an id in hex that the query API at a base URL has.
func Show(ctx context.Context, w io.Writer, base, id string) error {
	t, err := Fetch(ctx, base, id)
	if errors.Is(err, ErrNotFound) {
		return fmt.Errorf("there is no trace %s in this Jaeger: it has not arrived yet, was dropped on the way, or has expired", id)
	}
	if err != nil {
		return err
	}
	return t.Print(w)
}
