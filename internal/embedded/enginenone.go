//go:build noengine

package embedded

import "fmt"

// runLibrary refuses: to load a library, a program must be linked with libc,
// and one that is built with the tag noengine is not. It runs where there is
// nothing but itself, as in a container.
func runLibrary(path string, _ []string) error {
	return fmt.Errorf("this parley was built without the means to load %s: build it without the tag noengine, or install clickhouse", path)
}
