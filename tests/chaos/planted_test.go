package chaos

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/tests/checker"
)

// planted is a bug in the program: a piece of its source that is replaced when
// it is built, so that the source itself knows nothing of it.
type planted struct {
	name     string
	file     string
	old, new string
	rules    []checker.Rule // one of them must catch it
}

// Bugs in the running program are caught, each by a rule that is meant for it.
func TestPlantedInTheProgram(t *testing.T) {
	if os.Getenv("PARLEY_PLANTED") == "" {
		t.Skip("takes minutes: run it with `make planted`")
	}
	_, folder := workplace(t)
	for i, bug := range plantedBugs {
		t.Run(strings.ReplaceAll(bug.name, " ", "-"), func(t *testing.T) {
			place := filepath.Join(folder, fmt.Sprint("bug-", i))
			if err := os.Mkdir(place, 0o755); err != nil {
				t.Fatal(err)
			}
			result, err := Run(t.Context(), Config{
				Binary: bug.build(t, place), Folder: place, Seed: uint64(i), Duration: 10 * time.Second,
				Mode: Calm, Impatient: true, Logger: logger(t),
			})
			if err != nil {
				t.Fatal(err)
			}
			caught := func(v checker.Violation) bool { return slices.Contains(bug.rules, v.Rule) }
			if !slices.ContainsFunc(result.Violations, caught) {
				t.Errorf("not caught by %v: %v", bug.rules, result.Violations[:min(5, len(result.Violations))])
			}
		})
	}
}

// Every planted bug has its place in the source as it is.
func TestPlacesOfPlantedBugs(t *testing.T) {
	for _, bug := range plantedBugs {
		bug.alter(t)
	}
}

// alter returns the path of the file that has the bug, and its text with it.
func (b *planted) alter(t *testing.T) (path, altered string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, b.file))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(source), b.old); n != 1 {
		t.Fatalf("%s: %s holds %q %d times: plant this bug elsewhere", b.name, b.file, b.old, n)
	}
	return path, strings.Replace(string(source), b.old, b.new, 1)
}

// build compiles the program with the bug in it.
func (b *planted) build(t *testing.T, folder string) string {
	t.Helper()
	path, text := b.alter(t)
	altered, overlay := filepath.Join(folder, "altered.go"), filepath.Join(folder, "overlay.json")
	mapping, err := json.Marshal(map[string]map[string]string{"Replace": {path: altered}})
	if err != nil {
		t.Fatal(err)
	}
	write(t, altered, text)
	write(t, overlay, string(mapping))
	binary, err := Build(folder, root, "-overlay", overlay)
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
