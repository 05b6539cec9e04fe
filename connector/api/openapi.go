package api

// Document is the OpenAPI document of the API, of a version of the program.
func Document(version string) []byte { return []byte(`{}`) }
