package embedded

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a crash left stays in the file that the error names, whatever follows.
func TestLogKeepsTracesOfCrashes(t *testing.T) {
	path := filepath.Join(t.TempDir(), engineLog)
	for _, trace := range []string{"first trace\n", "second trace\n", ""} {
		l, err := newLogFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write([]byte(trace)); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "first trace\nsecond trace\n" {
		t.Errorf("the log holds %q, %v", text, err)
	}
}

// The log is bounded over starts, too.
func TestLogIsRotatedAtItsSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), engineLog)
	half := strings.Repeat("x", maxLogFile/2+1)
	for range 3 {
		l, err := newLogFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write([]byte(half)); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{path, path + ".1"} {
		if info, err := os.Stat(name); err != nil || info.Size() != int64(len(half)) {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}
