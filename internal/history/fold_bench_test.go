package history

import (
	"testing"
	"time"
)

// BenchmarkChanged reads the newest 50 messages of a channel, without changes, and with
// 100 reactions and 3 edits of each.
func BenchmarkChanged(b *testing.B) {
	const size = 10_000
	w := newWorld(b, 12)
	w.migrate(w.log.Epoch)
	for _, channel := range []string{"plain", "changed"} {
		w.exec(`INSERT INTO events_1 (epoch, partition, channel, seq, kind, user, id, body, session, connector, time, version)
			SELECT ?, 0, ?, number + 1, 'chat', concat('user', toString(number % 100)), toString(generateUUIDv4()), randomPrintableASCII(100), 's', 'c', now64(3), 2 FROM numbers(?)`,
			w.log.Epoch, channel, size)
	}
	w.exec(`INSERT INTO changes_1 (epoch, partition, channel, target, seq, action, user, author, id, body, name, time, version)
		SELECT ?, 0, 'changed', intDiv(number, 103) + 1, ? + number, if(number % 103 < 3, 'edit', 'react'), concat('user', toString(number % 103)), 'ada', toString(generateUUIDv4()),
			if(number % 103 < 3, randomPrintableASCII(100), ''), if(number % 103 < 3, '', toString(number % 7)), now64(3), 2 FROM numbers(?)`, w.log.Epoch, size+1, size*103)
	w.exec(`INSERT INTO watermarks_1 (epoch, partition, seq, format, time) VALUES (?, 0, ?, 2, now())`, w.log.Epoch, size*200)
	r := w.reader(w.log.Epoch, nil)
	for _, channel := range []string{"plain", "changed"} {
		b.Run(channel, func(b *testing.B) {
			q := Query{Channel: channel, User: "user1", Limit: 50, End: size * 200}
			var times []time.Duration
			for b.Loop() {
				started := time.Now()
				page, err := r.Read(w.ctx, q)
				if err != nil || len(page.Messages) != 50 || (page.Messages[0].Edited != nil) != (channel == "changed") {
					b.Fatal(len(page.Messages), err)
				}
				times = append(times, time.Since(started))
			}
			report(b, times)
		})
	}
}
