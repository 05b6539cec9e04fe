package tests

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/tests/client"
)

const (
	mebibyte = 1 << 20
	// silence bounds the wait for what follows 30 s without the log.
	silence = 90 * time.Second
)

// smallDisk mounts a file system of that size, where the test may.
func smallDisk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d", size), "tmpfs", dir).CombinedOutput()
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("mount a small disk: %v: %s", err, out)
		}
		t.Skipf("a small disk can be mounted by root on Linux only: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("unmount %s: %v: %s", dir, err, out)
		}
	})
	return dir
}

// fill takes up to size bytes of a disk with a file and returns what gives them back.
func fill(t *testing.T, disk string, size int, name string) (free func()) {
	t.Helper()
	name = filepath.Join(disk, name)
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for chunk := make([]byte, 64<<10); size > 0; size -= len(chunk) {
		if _, err := file.Write(chunk); errors.Is(err, syscall.ENOSPC) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// The broker's disk is full: nothing is acknowledged that is not in the log,
// what was acknowledged is, even after a kill, and chat goes on by itself once
// there is space.
func TestBrokersDiskIsFull(t *testing.T) {
	embeddedtest.NeedEngine(t)
	onEmbeddedBroker(t)
	t.Parallel()
	disk := smallDisk(t, 120*mebibyte)
	free := fill(t, disk, 48*mebibyte, "ballast")
	addr := freeport.AddressFor(t)
	broker := start(t, "broker", "--open", "--listen", addr, "--data", filepath.Join(disk, "broker"))
	t.Cleanup(func() { broker.signal(syscall.SIGTERM) })
	c := &cluster{t: t, kafka: addr, clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger}
	c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Rate = -1 }).addr
	ready := func() bool {
		s, _, err := client.Enter(soon(t), url, "probe")
		if err == nil {
			s.Cut()
		}
		return err == nil
	}

	ada := enter(t, url, "ada")
	joined := ada.join("lobby")
	said, err := chatUntilRefused(ada)
	var refused *rpc.Error
	if !errors.As(err, &refused) || refused.Code != rpc.CodeUnavailable {
		t.Fatalf("after %d messages: %v, want error %d", len(said), err, rpc.CodeUnavailable)
	}
	if !strings.Contains(broker.out.String(), "the disk is full") {
		t.Error("the broker does not say that its disk is full")
	}
	t.Logf("%d messages were acknowledged before the disk was full", len(said))
	await.That(t, "nobody is let in", func() bool { return !ready() })

	broker.signal(syscall.SIGKILL)
	broker = start(t, "broker", "--open", "--listen", addr, "--data", filepath.Join(disk, "broker"))
	await.That(t, "it is full still", func() bool { return strings.Contains(broker.out.String(), "the disk is full") })
	free()
	await.That(t, "chat goes on", ready)
	again := enter(t, url, "ada")
	back := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &joined.Seq, Epoch: joined.Epoch})
	again.chat("lobby", "there is space again")
	c.holds(again, append(said, "there is space again"))
	if back.Epoch != joined.Epoch {
		t.Errorf("the epoch is %s, it was %s", back.Epoch, joined.Epoch)
	}
	c.equal()
}

// chatUntilRefused says large things until one is not acknowledged, and returns
// those that were.
func chatUntilRefused(u *user) (said []string, err error) {
	for i := 0; ; i++ {
		body := fmt.Sprintf("%d %s", i, strings.Repeat("x", 4000))
		ctx, cancel := context.WithTimeout(context.Background(), silence)
		err := u.Call(ctx, rpc.MethodChat, rpc.ChatParams{Channel: "lobby", Body: body}, nil)
		cancel()
		if err != nil {
			return said, err
		}
		said = append(said, body)
	}
}

// holds reads the lobby's history to its beginning and compares it.
func (c *cluster) holds(u *user, want []string) {
	c.t.Helper()
	var got []string
	var before *int64
	for more := true; more; {
		page := u.history(rpc.HistoryParams{Channel: "lobby", Before: before, Limit: ptr(200)})
		got = append(bodies(page.Messages), got...)
		if more = page.More && len(page.Messages) > 0; more {
			before = &page.Messages[0].Seq
		}
	}
	if !slices.Equal(got, want) {
		c.t.Errorf("history has %d messages, %d were acknowledged", len(got), len(want))
	}
}

// equal waits until log, checkpoints and ClickHouse are the same.
func (c *cluster) equal() {
	c.t.Helper()
	var said string
	await.That(c.t, "parley verify finds no difference", func() bool {
		code, output := c.parley("verify")
		said = output
		return code == 0 && strings.Contains(output, "ClickHouse is 0 offsets behind")
	})
	lines := strings.Split(strings.TrimSpace(said), "\n")
	c.t.Log(lines[len(lines)-1])
}

// ClickHouse's disk is full: chat and joins go on, nothing is lost, and history
// catches up by itself once there is space.
func TestClickHousesDiskIsFull(t *testing.T) {
	embeddedtest.NeedEngine(t)
	onEmbeddedBroker(t)
	t.Parallel()
	disk := smallDisk(t, 200*mebibyte)
	addr := freeport.AddressFor(t)
	folder := filepath.Join(disk, "clickhouse")
	dsn := embeddedtest.DSN(t, addr, folder)
	server := start(t, "clickhouse", "--listen", addr, "--data", folder)
	t.Cleanup(func() { server.signal(syscall.SIGTERM) })
	logged := new(output)
	c := &cluster{
		t: t, kafka: embeddedtest.Kafka(t), clickhouse: dsn,
		logger: slog.New(slog.NewTextHandler(logged, nil)),
	}
	c.worker()
	c.projector()
	url := c.connector(func(cfg *connector.Config) { cfg.Limits.Rate = -1 }).addr
	ada := enter(t, url, "ada")
	ada.join("lobby")
	said := []string{"before"}
	c.projected(ada.chat("lobby", said[0]).Seq)

	free := fill(t, disk, 200*mebibyte, "ballast")
	for i := range 3000 {
		said = append(said, fmt.Sprintf("%d %s", i, strings.Repeat("x", 1000)))
		ada.chat("lobby", said[len(said)-1])
	}
	await.That(t, "the projector says what is wrong", func() bool { return strings.Contains(logged.String(), "space") })
	for line := range strings.Lines(logged.String()) {
		if strings.Contains(line, "space") {
			t.Log(strings.TrimSpace(line))
			break
		}
	}
	page := enter(t, url, "bob").join("lobby")
	if want := said[len(said)-50:]; !slices.Equal(bodies(page.Messages), want) {
		t.Errorf("a join while the disk is full shows %d messages, the last one is %.20q", len(page.Messages), bodies(page.Messages))
	}
	free()
	c.equal()
	c.holds(ada, said)
}
