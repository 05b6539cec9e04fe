// Package check compares what is shipped for deployment with the program and
// the servers that it is for. It has tests only: `make test-deploy` runs them.
package check
