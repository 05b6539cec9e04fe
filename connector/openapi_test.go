package connector

import (
	"slices"
	"testing"

	"github.com/parley-chat/parley/connector/api"
)

// The OpenAPI document has the methods that are served, and no other.
func TestOperationsAreServed(t *testing.T) {
	var named []string
	for _, op := range api.Operations {
		if named = append(named, op.Method); backendMethods[op.Method] == nil {
			t.Errorf("%s is in the document, and not served", op.Method)
		}
	}
	for method := range backendMethods {
		if !slices.Contains(named, method) {
			t.Errorf("%s is served, and not in the document", method)
		}
	}
}
