//go:build linux

package files

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asChild makes this test binary report its own trouble: with a full table of
// descriptors, then with one that has room.
const asChild = "PARLEY_TEST_FILES"

func TestMain(m *testing.M) {
	if os.Getenv(asChild) == "" {
		os.Exit(m.Run())
	}
	var open []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		open = append(open, f)
	}
	fmt.Printf("full: %s\n", Trouble())
	_ = open[len(open)-1].Close()
	fmt.Printf("nearly: %s\n", Trouble())
	for _, f := range open[:len(open)-1] {
		_ = f.Close()
	}
	fmt.Printf("room: %s\n", Trouble())
	os.Exit(0)
}

// A process that runs out of descriptors reports that, and how many it may have.
func TestDescriptorsRunOut(t *testing.T) {
	cmd := exec.Command("sh", "-c", `ulimit -n 64 && exec "$0"`, os.Args[0])
	cmd.Env = append(os.Environ(), asChild+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for i, want := range []string{"full: no file descriptor is left, this process may have 64", "nearly: 63 of the 64", "room:"} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], want) {
			t.Fatalf("it says %q, want %q", lines, want)
		}
	}
	if lines[2] != "room:" {
		t.Errorf("with room it says %q", lines[2])
	}
	if trouble := Trouble(); trouble != "" {
		t.Errorf("this process says %q", trouble)
	}
}
