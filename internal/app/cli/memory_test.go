package cli_test

import (
	"fmt"
	"testing"

	"github.com/parley-chat/parley/internal/memory"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// Whatever runs has a bound of its memory, GOMEMLIMIT's where that is set, and
// says which.
//
//parley:bound memory of a process
func TestMemoryIsBounded(t *testing.T) {
	embeddedtest.NeedEngine(t)
	t.Setenv("GOMEMLIMIT", "")
	limit := memory.Limit()
	role := begin(t, "connector", "--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:1")
	role.find(fmt.Sprintf(`the connector starts[^$]*memory is bounded, in bytes" there_is=%d process=%d\n`, limit, memory.Process(limit, false)))
	up := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	up.find(fmt.Sprintf(`parley starts[^$]*memory is bounded, in bytes" there_is=%d process=%d clickhouse=%d\n`,
		limit, memory.Process(limit, true), memory.Engine(limit)))
	t.Setenv("GOMEMLIMIT", "123MiB")
	begin(t, "chatworker", "--kafka", "127.0.0.1:1").find(`memory is bounded, in bytes" there_is=\d+ process=128974848\n`)
}
