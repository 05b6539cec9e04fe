// Package check holds what is shipped for deployment against the program and
// the servers that it is for. It has tests only: `make test-deploy` runs them.
package check
