package cli

import (
	"reflect"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/ops/tail"
)

// --kinds takes every kind that there is.
func TestKindsOfTail(t *testing.T) {
	field, _ := reflect.TypeFor[tailCommand]().FieldByName("Kinds")
	if got, want := field.Tag.Get("enum"), strings.Join(tail.Kinds, ","); got != want {
		t.Errorf("--kinds takes %s, want %s", got, want)
	}
}
