package eventlog

import (
	"go/build"
	"strings"
	"testing"
)

// TestKnowsNothingOfTheProgram: the package moves bytes, whoever's they are. What
// makes its instruments knows nothing of the program either.
func TestKnowsNothingOfTheProgram(t *testing.T) {
	pkg, err := build.ImportDir(".", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range pkg.Imports {
		if strings.HasPrefix(path, "github.com/parley-chat/parley/") && path != "github.com/parley-chat/parley/internal/meter" {
			t.Errorf("it imports %s", path)
		}
	}
}
