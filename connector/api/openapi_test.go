package api

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// The document is whole: what it refers to is there, and each operation of a method has
// the params and the results of its Go types.
func TestDocumentIsWhole(t *testing.T) {
	var doc struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct {
				Name     string `json:"name"`
				Required bool   `json:"required"`
			} `json:"parameters"`
		} `json:"paths"`
		Components struct {
			Schemas map[string]struct {
				Required   []string                  `json:"required"`
				Properties map[string]map[string]any `json:"properties"`
			} `json:"schemas"`
		} `json:"components"`
	}
	text := Document("1")
	if err := json.Unmarshal(text, &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("the document is of version %q, %v", doc.OpenAPI, err)
	}
	for _, part := range strings.Split(string(text), `"$ref":"#/components/schemas/`)[1:] {
		name, _, _ := strings.Cut(part, `"`)
		if _, there := doc.Components.Schemas[name]; !there {
			t.Errorf("there is no schema %s", name)
		}
	}
	publish := doc.Components.Schemas["PublishParams"]
	if want := []string{"body", "channel", "user"}; !slices.Equal(publish.Required, want) || publish.Properties["seq"] != nil || publish.Properties["info"] == nil {
		t.Errorf("publish needs %v, want %v; it takes %v", publish.Required, want, publish.Properties)
	}
	if r := doc.Components.Schemas["Broadcasted"]; !slices.Equal(r.Required, []string{"channel"}) || r.Properties["seq"]["type"] != "integer" {
		t.Errorf("what a broadcast brings needs %v, and has %v", r.Required, r.Properties)
	}
	for path, methods := range doc.Paths {
		for _, op := range methods {
			for _, p := range op.Parameters {
				if p.Required != (p.Name == "channel") {
					t.Errorf("%s: %s is required: %v", path, p.Name, p.Required)
				}
			}
		}
	}
	if n := len(doc.Paths["/v1/messages"]["get"].Parameters); n != len(queryParams["history"]) {
		t.Errorf("the page of messages has %d parameters", n)
	}
}
