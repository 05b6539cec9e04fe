// Package apiclients generates clients for the server API from its OpenAPI document, by
// generators that are not ours, and has them talk to a Parley that runs. `make test-api`
// runs its tests.
package apiclients

import _ "github.com/oapi-codegen/runtime" // which the generated client in Go imports
