package krafttest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// prefix begins the names of the brokers' folders; the id of the test process
// follows.
const prefix = "parley-test-kafka-"

// sweep removes the folders of test processes that were killed; their brokers
// ended with them.
var sweep = sync.OnceFunc(func() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), prefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), prefix), "-")
		pid, err := strconv.Atoi(id)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(dir) // it may be somebody else's
		}
	}
})

// newFolder makes a folder for brokers of this process.
func newFolder() (string, error) {
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprint(prefix, os.Getpid(), "-"))
	if err != nil {
		return "", fmt.Errorf("make a folder for Kafka: %w", err)
	}
	return dir, nil
}
