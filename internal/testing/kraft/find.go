package kraft

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// ErrMissing means that Apache Kafka is not on this machine.
var ErrMissing = errors.New("no Apache Kafka was found: `make kafka` gets it, with Java 17 and Maven")

// script runs one node.
const script = "deploy/kafka/node.sh"

// find returns the path of the script, in the source tree that this process
// works in.
func find() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("look for %s: %w", script, err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		path := filepath.Join(dir, script)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not in %s or above", script, wd)
		}
	}
}

// Available returns nil where a cluster can be started, else what is
// missing.
func Available() error {
	path, err := find()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "libs")); err != nil {
		return ErrMissing
	}
	if _, err := exec.LookPath("java"); err != nil {
		return fmt.Errorf("%w: there is no java on the PATH", ErrMissing)
	}
	return nil
}
