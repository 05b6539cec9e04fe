package embedded

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The engine is found wherever the source tree is: its path is not taken as a pattern.
func TestEngineIsFoundInAnyFolder(t *testing.T) {
	root := filepath.Join(t.TempDir(), "[prod] {a,b}*?")
	folder := filepath.Join(root, packageFolder, "lib-linux-x64-gnu")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	if !slices.Contains(libraryFolders(), folder) {
		t.Errorf("%s is not among %q", folder, libraryFolders())
	}
}

// The engine runs in another folder than its parent.
func TestChosenEngineHasAnAbsolutePath(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "libchdb.so"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	t.Setenv(LibraryEnv, "./libchdb.so")
	if e, err := findEngine(); err != nil || !filepath.IsAbs(e.library) {
		t.Errorf("the engine is %q, error %v", e.library, err)
	}
}
