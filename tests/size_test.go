package tests

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/parley-chat/parley/internal/testing/clickhousetest"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/schema/rpc"
)

// A message takes about as many bytes on disks as docs/sizing.md reckons with;
// -v prints how many.
func TestBytesPerMessage(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.startRoles()
	const each = 128
	measure := func(name string, messages, speakers int, most int64) {
		var users []*user
		for i := range speakers {
			u := enter(t, s.url, fmt.Sprint("user-", i))
			u.join(fmt.Sprint("channel-", i))
			users = append(users, u)
		}
		events, pushes := s.written("parley.events"), s.written("parley.push")
		var all sync.WaitGroup
		for i, u := range users {
			random := rand.New(rand.NewPCG(1, uint64(i)))
			all.Go(func() {
				for range messages / speakers {
					p := rpc.ChatParams{Channel: fmt.Sprint("channel-", i), Body: words(random, each)}
					if err := u.Call(soon(t), rpc.MethodChat, p, nil); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		s.equal()
		events, pushes = s.written("parley.events")-events, s.written("parley.push")-pushes
		t.Logf("%s: %d bytes a message in parley.events, %d in parley.push", name, events/int64(messages), pushes/int64(messages))
		if got := events / int64(messages); got < each || got > most {
			t.Errorf("%s: a message of %d bytes takes %d in the log, at most %d are reckoned with", name, each, got, most)
		}
	}
	measure("one at a time", 2_000, 1, 330)
	measure("100 at a time", 10_000, 100, 250)

	db := clickhousetest.Connect(t, s.cluster.clickhouse)
	s.sql("OPTIMIZE TABLE events_1 FINAL")
	var rows, bytes uint64
	if err := db.QueryRow(soon(t), "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND table = 'events_1' AND database = 'default'").Scan(&rows, &bytes); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bytes a row in ClickHouse, of %d rows", bytes/rows, rows)
	if got := bytes / rows; got < each/4 || got > 200 {
		t.Errorf("a row takes %d bytes, at most 200 are reckoned with", got)
	}
}

// words makes a text of that many bytes out of 20,000 words, few of which are
// frequent, as people do.
func words(random *rand.Rand, bytes int) string {
	frequency := rand.NewZipf(random, 1.1, 3, 20_000)
	var text strings.Builder
	for text.Len() < bytes {
		spelling := rand.New(rand.NewPCG(2, frequency.Uint64()))
		for range 2 + spelling.IntN(7) {
			text.WriteByte("eeettaoinshrdlucmfwypvbgk"[spelling.IntN(25)])
		}
		text.WriteByte(' ')
	}
	return text.String()[:bytes]
}

// written is how many bytes a topic's segments have.
func (s *site) written(topic string) (bytes int64) {
	s.t.Helper()
	folders, err := filepath.Glob(filepath.Join(s.brokerFolder(), "partitions", topic+"-*"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".dat" {
				return err
			}
			info, err := d.Info()
			if err == nil {
				bytes += info.Size()
			}
			return err
		})
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return bytes
}

// A session costs a connector about as much memory as docs/sizing.md says; -v
// prints how much.
//
//parley:bound open WebSockets
func TestMemoryPerSession(t *testing.T) {
	embeddedtest.NeedEngine(t)
	onEmbeddedBroker(t)
	if runtime.GOOS != "linux" {
		t.Skip("reads the memory of a process from /proc")
	}
	t.Parallel()
	const sessions, members = 2_000, 10
	r := startRoles(t)
	pid := r.connectors[0].cmd.Process.Pid
	before := resident(t, pid)
	for i := range sessions {
		enter(t, r.urls[0], fmt.Sprint("user-", i)).join(fmt.Sprint("channel-", i/members))
	}
	each := (resident(t, pid) - before) / sessions
	t.Logf("%d sessions in channels of %d: %d KiB each", sessions, members, each>>10)
	if each > 128<<10 {
		t.Errorf("a session takes %d bytes of memory, at most 128 KiB are reckoned with", each)
	}
}

// resident is the memory of a process, in bytes.
func resident(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	var kib int
	_, rest, found := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kib); !found || err != nil {
		t.Fatalf("no resident memory in %s", status)
	}
	return kib << 10
}
