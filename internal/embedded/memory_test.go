package embedded_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/memory"
)

// The engine refuses what would take it beyond its share, and continues.
//
//parley:bound memory of the embedded ClickHouse
func TestClickHouseMemoryIsBounded(t *testing.T) {
	needEngine(t)
	c := startClickHouse(t, "127.0.0.1:0", t.TempDir())
	defer stopClickHouse(t, c)
	conn := connect(t, c.Addr())
	defer conn.Close()
	var limit string
	if err := conn.QueryRow(within(t), "SELECT value FROM system.server_settings WHERE name = 'max_server_memory_usage'").Scan(&limit); err != nil {
		t.Fatal(err)
	}
	if want := memory.Engine(memory.Limit()); limit != strconv.FormatInt(want, 10) {
		t.Errorf("the limit is %s, want %d", limit, want)
	}
	var n uint64
	err := conn.QueryRow(within(t), "SELECT length(range(toUInt64(400000000))) SETTINGS max_memory_usage = 0").Scan(&n) // 3 GB
	if err == nil || !strings.Contains(err.Error(), "memory limit exceeded") {
		t.Errorf("3 GB at once: %d, %v", n, err)
	}
	if got := number(t, c.Addr(), "SELECT 7"); got != 7 {
		t.Errorf("afterwards it answers %d", got)
	}
}
