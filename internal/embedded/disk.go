package embedded

import (
	"fmt"
	"log/slog"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// diskReserve is the free space, in bytes, below which the broker takes no
// records. It leaves room for what is written besides: offsets, topics, and the
// snapshot of an orderly stop.
const diskReserve = 64 << 20

// diskGuard keeps the broker from writing to a full disk: a batch that fails
// half-way is answered with an error, but its numbers are noted, and the retry
// would be acknowledged as a repeat. Only the broker's own goroutine uses it.
type diskGuard struct {
	folder string
	log    *slog.Logger
	full   bool      // whether it was at the last check
	looked time.Time // when that was
}

// lookEvery is how old the last check of the disk may be. What is written
// meanwhile is far less than diskReserve.
const lookEvery = 10 * time.Millisecond

// guardDisk has the broker refuse records, with the error by which a broker of
// Apache Kafka reports that its disk failed, for as long as there is no room.
func guardDisk(c *kfake.Cluster, folder string, log *slog.Logger) {
	g := diskGuard{folder: folder, log: log}
	c.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.KafkaStorageError, Count: -1,
		When: func(kmsg.Request) bool { return g.isFull() },
	})
}

// isFull checks the disk, unless it just did, and logs when the answer has
// changed.
func (g *diskGuard) isFull() bool {
	now := time.Now()
	if now.Sub(g.looked) < lookEvery {
		return g.full
	}
	g.looked = now
	free, err := freeSpace(g.folder)
	if err != nil {
		return false // the write itself will fail
	}
	full := free < diskReserve
	if full != g.full {
		g.full = full
		if full {
			g.log.Error("the disk is full: the broker takes no records until there is space again",
				"folder", g.folder, "free bytes", free, "needed", diskReserve)
		} else {
			g.log.Info("there is space on the disk again: the broker accepts records", "folder", g.folder, "free bytes", free)
		}
	}
	return full
}

// freeSpace returns how many bytes may be written to the disk of a folder.
func freeSpace(folder string) (uint64, error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(folder, &s); err != nil {
		return 0, fmt.Errorf("free space of %s: %w", folder, err)
	}
	return uint64(s.Bavail) * uint64(s.Bsize), nil
}
