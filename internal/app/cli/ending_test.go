package cli

import (
	"context"
	"fmt"
	"testing"
)

func TestEndingOf(t *testing.T) {
	for err, want := range map[error]string{
		context.Canceled: "interrupted",
		fmt.Errorf("interrupted: run it again: %w", context.Canceled): "interrupted: run it again: context canceled",
	} {
		if got := endingOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
