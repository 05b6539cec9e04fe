//go:build !unix

package embedded

// yield does nothing where processes have no nice value.
func yield() {}
