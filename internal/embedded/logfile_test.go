package embedded

import (
	"fmt"
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
//
//parley:bound the embedded ClickHouse's log
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
	for name, size := range map[string]int{path: maxTrace + len(half), path + ".1": maxTrace + len(half)} {
		if info, err := os.Stat(name); err != nil || info.Size() != int64(size) {
			t.Errorf("%s: %v, %v, want %d bytes", name, info, err, size)
		}
	}
}

// A trace that is written while the log is rotated is in the file that the
// error names, whole; and a life's own output is distinguished from that of earlier lives.
func TestTraceIsInOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), engineLog)
	before := strings.Repeat(strings.Repeat("b", 99)+"\n", maxLogFile/100-10)
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := newLogFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var trace strings.Builder
	for frame := range 1000 {
		line := fmt.Sprintf("%d. in a function of the engine\n", frame)
		trace.WriteString(line)
		if _, err := l.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".1"); err != nil {
		t.Fatalf("the log was not rotated: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.HasSuffix(string(text), trace.String()) {
		t.Errorf("the log begins with %.40q, %v, and does not hold the trace", text, err)
	}
	if from := l.from; string(text[from:]) != trace.String() {
		t.Errorf("the life begins at %d with %.40q", from, text[from:])
	}
}
