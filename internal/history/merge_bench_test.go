package history

import (
	"fmt"
	"testing"
	"time"
)

// BenchmarkMerging has ClickHouse merge a million messages into one part, and says how
// much memory the merge takes, most of which is the index of words.
func BenchmarkMerging(b *testing.B) {
	const size = 1_000_000
	some := func(words int) string { // of a vocabulary of 50,000, most of them rare
		return fmt.Sprintf(`arrayStringConcat(arrayMap(i -> concat('w', hex(toUInt32(pow(50000, (cityHash64(number, i) %% 1000) / 1000)))), range(%d)), ' ')`, words)
	}
	for _, c := range []struct{ name, body string }{
		{"20 words of a vocabulary of 50,000", some(20)},
		{"16 of them, and one that no other has", `concat(` + some(16) + `, ' ', hex(cityHash64(number)))`},
		{"8 words that no other has, of 16 characters", `arrayStringConcat(arrayMap(i -> hex(cityHash64(number, i)), range(8)), ' ')`},
	} {
		b.Run(c.name, func(b *testing.B) {
			w := newWorld(b, 12)
			w.migrate(w.log.Epoch)
			number := func(query string) (n uint64) {
				if err := w.sql.QueryRow(w.ctx, query).Scan(&n); err != nil {
					b.Fatal(err)
				}
				return n
			}
			for from := 0; from < size; from += size / 10 {
				w.exec(`INSERT INTO events_1 (epoch, partition, channel, seq, kind, user, id, body, session, connector, time, version)
					SELECT ?, 0, 'lobby', number + 1, 'chat', concat('user', toString(number % 100)), toString(generateUUIDv4()), `+c.body+`, 's', 'c', now64(3), 2 FROM numbers(?, ?)`,
					w.log.Epoch, from, size/10)
			}
			most := uint64(0)
			for b.Loop() {
				merged := make(chan error, 1)
				go func() { merged <- w.sql.Exec(w.ctx, `OPTIMIZE TABLE events_1 FINAL`) }()
				for done := false; !done; {
					select {
					case err := <-merged:
						if done = true; err != nil {
							b.Fatal(err)
						}
					case <-time.After(50 * time.Millisecond):
						most = max(most, number(`SELECT max(memory_usage) FROM system.merges WHERE database = currentDatabase()`))
					}
				}
			}
			b.ReportMetric(float64(most)/size, "B/message")
			stored := number(`SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = 'events_1'`)
			b.ReportMetric(float64(stored)/size, "disk-B/message")
		})
	}
}
