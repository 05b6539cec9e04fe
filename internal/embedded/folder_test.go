package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
)

func TestFolderInUseNamesTheProcess(t *testing.T) {
	dir := t.TempDir()
	f, err := embedded.OpenFolder(within(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err = embedded.OpenFolder(ctx, dir)
	wantSentence(t, err, dir, fmt.Sprintf("in use by process %d", os.Getpid()))
	if err := embedded.RemoveFolder(dir); err == nil {
		t.Error("a folder in use was removed")
	}
}

func TestFolderIsWaitedFor(t *testing.T) {
	dir := t.TempDir()
	first, err := embedded.OpenFolder(within(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		second, err := embedded.OpenFolder(within(t), dir)
		if err == nil {
			err = second.Close()
		}
		opened <- err
	}()
	select {
	case err := <-opened:
		t.Fatalf("opened a folder in use: %v", err)
	case <-time.After(200 * time.Millisecond):
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
}

func TestFolderOfAnotherVersion(t *testing.T) {
	for content, want := range map[string]string{
		"99\n":  "is of version 99 and this program reads up to version 1",
		"what?": `has "what?" where its version should be`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "VERSION"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := embedded.OpenFolder(within(t), dir)
		wantSentence(t, err, dir, want)
	}
}

func TestRemoveFolderLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	if err := embedded.RemoveFolder(dir); err == nil {
		t.Error("removed a folder that is not a data folder")
	}
	f, err := embedded.OpenFolder(within(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := embedded.RemoveFolder(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

// wantSentence checks that the error is one line that holds the parts.
func wantSentence(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("more than one line: %q", err)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
}
