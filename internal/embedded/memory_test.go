package embedded_test

import (
	"fmt"
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

// A merge makes the index of words in memory, in proportion to the part that it makes:
// two run at a time, and parts that are large for the engine's memory are not merged.
// Inserts are not refused for having many of these.
//
//parley:bound merges of the embedded ClickHouse
func TestMergesLeaveLargeParts(t *testing.T) {
	needEngine(t)
	c := startClickHouse(t, "127.0.0.1:0", t.TempDir())
	defer stopClickHouse(t, c)
	execute(t, c.Addr(), "CREATE TABLE parts (n UInt64, body String CODEC(NONE)) ENGINE = MergeTree ORDER BY n SETTINGS parts_to_throw_insert = 3")
	most := uint64(memory.Engine(memory.Limit()) / 32)
	for range 12 { // four of them make a part that no other fits in
		execute(t, c.Addr(), fmt.Sprintf("INSERT INTO parts SELECT number, randomString(1000) FROM numbers(%d)", most/4/1100))
		execute(t, c.Addr(), "OPTIMIZE TABLE parts")
	}
	if n := number(t, c.Addr(), "SELECT value FROM system.metrics WHERE metric = 'BackgroundMergesAndMutationsPoolSize'"); n != 2 {
		t.Errorf("%d merges run at a time, want 2", n)
	}
	largest := number(t, c.Addr(), "SELECT max(bytes_on_disk) FROM system.parts WHERE active AND table = 'parts'")
	if largest < most/2 || largest > most {
		t.Errorf("the largest part has %d bytes, want more than %d, and at most %d", largest, most/2, most)
	}
}
