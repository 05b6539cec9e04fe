// Package tests holds the end-to-end tests: all roles on real servers, spoken
// to through real sockets.
package tests

import (
	"testing"

	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

func TestMain(m *testing.M) { embeddedtest.Main(m) }
