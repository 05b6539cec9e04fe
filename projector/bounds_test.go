package projector

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
	"github.com/parley-chat/parley/schema/sql"
)

// rowsLike makes what a fetch of the log may bring: rows of bodies of that size
// each, which share nothing.
func rowsLike(body int, from int64) batch {
	var b batch
	for fetched := 0; fetched < 1<<20; fetched += body + 100 {
		r := row{
			channel: strings.Clone("lobby"), seq: from, kind: "chat", user: strings.Clone("ada"), id: fmt.Sprint(from),
			body: strings.Repeat("x", body), session: strings.Repeat("s", 26), connector: strings.Repeat("c", 26),
		}
		b.rows = append(b.rows, r)
		b.bytes += r.size()
		from++
	}
	b.upTo = watermark{seq: from - 1, format: 1}
	return b
}

// While ClickHouse does not answer, a projector holds two batches, of the
// largest rows as of the smallest, and who has more waits; then all is written.
//
//parley:bound rows of a projector
func TestInserterKeepsWhatItMay(t *testing.T) {
	for name, body := range map[string]int{"the largest": schema.MaxBody, "the smallest": 1} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			proxy := clickhousetest.NewProxy(t, s.dsn)
			dsn := s.dsn
			s.dsn = proxy.DSN
			cfg := s.config()
			cfg.BatchAge = time.Hour
			p, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			in := newInserter(p, s.store())
			s.dsn = dsn
			proxy.Cut()
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			ended := make(chan error, 1)
			before, last := inuse.SettledHeap(), int64(0)
			first := in.taken // closed when the first batch is being written
			go func() { ended <- in.run(ctx) }()
			bothFull := func() bool {
				in.mu.Lock()
				defer in.mu.Unlock()
				select {
				case <-first:
					return in.full()
				default:
					return false
				}
			}
			for !bothFull() {
				b := rowsLike(body, last+1)
				last = b.upTo.seq
				if err := in.add(ctx, 0, b); err != nil {
					t.Fatal(err)
				}
			}
			heap := inuse.SettledHeap() - before
			t.Logf("%d rows, the heap grew by %d MiB", last, heap>>20)
			most := 2*(p.cfg.BatchBytes+2<<20) + 2*p.cfg.BatchRows*2*rowSize
			if heap > most {
				t.Errorf("%d rows take %d bytes, at most %d are reckoned with", last, heap, most)
			}
			proxy.Restore()
			await.That(t, "both batches are written", func() bool { return in.written(0) == last })
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if n := s.count("SELECT count() FROM events_1 FINAL"); n != uint64(last) {
				t.Errorf("%d rows, want %d", n, last)
			}
		})
	}
}

// A batch that is written is in memory once more, as ClickHouse gets it.
//
//parley:bound rows of a projector
func TestEncodedBatchIsBounded(t *testing.T) {
	for name, body := range map[string]int{"the largest": schema.MaxBody, "the smallest": 1} {
		t.Run(name, func(t *testing.T) {
			s := newSystem(t)
			in, st := newTestInserter(s, 100_000)
			for last := int64(0); !in.full(); {
				b := rowsLike(body, last+1)
				last = b.upTo.seq
				if err := in.add(s.ctx, 0, b); err != nil {
					t.Fatal(err)
				}
			}
			names, columns := in.filling.columns(s.log.Epoch)
			encoded, err := st.db.PrepareBatch(s.ctx, `INSERT INTO `+st.db.Table(sql.Events(1))+` ("`+strings.Join(names, `", "`)+`")`)
			if err != nil {
				t.Fatal(err)
			}
			defer encoded.Close()
			before := inuse.SettledHeap()
			for i, c := range columns {
				if err := encoded.Column(i).Append(c); err != nil {
					t.Fatal(err)
				}
			}
			if heap := inuse.SettledHeap() - before; heap > in.p.cfg.BatchBytes*2 {
				t.Errorf("a batch takes %d bytes more as it is written", heap)
			}
			runtime.KeepAlive(encoded)
		})
	}
}
