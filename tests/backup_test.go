package tests

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/schema/rpc"
)

// site is an installation whose servers are processes on folders of their own,
// to be backed up, destroyed and restored as docs/backup.md says.
type site struct {
	*cluster
	dir                string
	broker, clickhouse *process
	clickhouseAddr     string
	roles              []*role
	url                string
}

func newSite(t *testing.T) *site {
	t.Helper()
	embeddedtest.NeedEngine(t)
	onEmbeddedBroker(t)
	s := &site{cluster: &cluster{t: t, kafka: freeport.AddressFor(t), logger: quietLogger}, dir: t.TempDir()}
	s.clickhouseAddr = freeport.AddressFor(t)
	s.cluster.clickhouse = embeddedtest.DSN(t, s.clickhouseAddr, s.clickhouseFolder())
	s.startServers()
	return s
}

func (s *site) brokerFolder() string     { return filepath.Join(s.dir, "broker") }
func (s *site) clickhouseFolder() string { return filepath.Join(s.dir, "clickhouse") }

func (s *site) startServers() {
	embeddedtest.DSN(s.t, s.clickhouseAddr, s.clickhouseFolder()) // where the folder was lost
	s.broker = start(s.t, "broker", "--open", "--listen", s.kafka, "--data", s.brokerFolder())
	s.clickhouse = start(s.t, "clickhouse", "--listen", s.clickhouseAddr, "--data", s.clickhouseFolder())
	s.t.Cleanup(s.stopServers)
}

func (s *site) stopServers() {
	s.broker.signal(syscall.SIGTERM)
	s.clickhouse.signal(syscall.SIGTERM)
}

func (s *site) startRoles() {
	conn := s.connector(nil)
	s.roles = []*role{s.worker(), s.projector(), conn}
	s.url = conn.addr
}

func (s *site) stopRoles() {
	for _, r := range slices.Backward(s.roles) {
		r.stop()
	}
	s.roles = nil
}

// destroy leaves nothing of the servers but what was copied elsewhere.
func (s *site) destroy() {
	s.t.Helper()
	s.broker.signal(syscall.SIGKILL)
	s.clickhouse.signal(syscall.SIGKILL)
	for _, folder := range []string{s.brokerFolder(), s.clickhouseFolder()} {
		if err := os.RemoveAll(folder); err != nil {
			s.t.Fatal(err)
		}
	}
}

func (s *site) copy(from, to string) {
	s.t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		s.t.Fatal(err)
	}
}

// sql carries out a statement once ClickHouse answers.
func (s *site) sql(statement string) {
	s.t.Helper()
	options, err := clickhouse.ParseDSN(s.cluster.clickhouse)
	if err != nil {
		s.t.Fatal(err)
	}
	conn, err := clickhouse.Open(options)
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	await.That(s.t, "ClickHouse answers", func() bool { return conn.Ping(context.Background()) == nil })
	if err := conn.Exec(soon(s.t), statement); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// says lets a user say n things and returns them.
func says(u *user, from, n int) (said []string, last int64) {
	for i := range n {
		said = append(said, fmt.Sprint("message ", from+i))
		last = u.chat("lobby", said[i]).Seq
	}
	return said, last
}

// Everything is stopped, copied, destroyed and restored elsewhere: it is the
// same log, and clients recover over the move.
func TestMoveByBackup(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.startRoles()
	ada := enter(t, s.url, "ada")
	joined := ada.join("lobby")
	said, _ := says(ada, 0, 100)
	s.stopRoles()
	s.stopServers()
	saved := t.TempDir()
	s.copy(s.brokerFolder(), filepath.Join(saved, "broker"))
	s.copy(s.clickhouseFolder(), filepath.Join(saved, "clickhouse"))
	s.destroy()

	s.copy(filepath.Join(saved, "broker"), s.brokerFolder())
	s.copy(filepath.Join(saved, "clickhouse"), s.clickhouseFolder())
	s.startServers()
	s.startRoles()
	again := enter(t, s.url, "ada")
	back := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &joined.Seq, Epoch: joined.Epoch})
	if back.Recovered == nil || !*back.Recovered || !slices.Equal(bodies(back.Messages), said) {
		t.Errorf("recovered %v, %d messages of %d", back.Recovered, len(back.Messages), len(said))
	}
	s.holds(again, said)
	s.equal()
}

// The backups are older than the last messages, or there is no backup of the log:
// a new epoch begins, what the backups hold is history, and clients are told.
func TestRestoreAfterALoss(t *testing.T) {
	for name, logSaved := range map[string]bool{"log and ClickHouse": true, "ClickHouse alone": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.startRoles()
			ada := enter(t, s.url, "ada")
			joined := ada.join("lobby")
			kept, newestSaid := says(ada, 0, 50)
			last := changeLast(ada, newestSaid, kept)
			s.projected(last)
			s.sql("BACKUP DATABASE default TO File('monday')") // while everything runs
			saved := t.TempDir()
			s.copy(filepath.Join(s.clickhouseFolder(), "backups"), filepath.Join(saved, "backups"))
			if logSaved {
				more, _ := says(ada, 50, 50)
				kept = append(kept, more...)
				s.broker.signal(syscall.SIGTERM) // roles wait for it
				s.copy(s.brokerFolder(), filepath.Join(saved, "broker"))
				s.broker = start(t, "broker", "--open", "--listen", s.kafka, "--data", s.brokerFolder())
			}
			_, newest := says(enter(t, s.url, "bob").joined("lobby"), 100, 20) // in no backup
			s.stopRoles()
			s.destroy()

			if logSaved {
				s.copy(filepath.Join(saved, "broker"), s.brokerFolder())
			}
			s.copy(filepath.Join(saved, "backups"), filepath.Join(s.clickhouseFolder(), "backups"))
			s.startServers()
			s.sql("RESTORE DATABASE default FROM File('monday')")
			if logSaved { // what the log has and ClickHouse lacks
				alone := s.projector()
				s.projected(last + 50)
				alone.stop()
			}
			// The saved log still counts members that were there when it was copied.
			await.That(t, "the roles of before count as stopped", func() bool {
				code, output := s.parley("epoch", "new", "--yes")
				if code != 0 && !strings.Contains(output, "all roles stopped") {
					t.Fatalf("epoch new: exit code %d\n%s", code, output)
				}
				return code == 0
			})

			s.startRoles()
			again := enter(t, s.url, "ada")
			back := again.joinWith(rpc.JoinParams{Channel: "lobby", Since: &newest, Epoch: joined.Epoch})
			if back.Recovered == nil || *back.Recovered || back.Reason != rpc.ReasonEpoch || back.Epoch == joined.Epoch {
				t.Errorf("a client that saw more than was saved is told %+v", back)
			}
			again.chat("lobby", "here we are again")
			page := again.history(rpc.HistoryParams{Channel: "lobby"})
			old := again.history(rpc.HistoryParams{Channel: "lobby", Epoch: page.Older, Limit: ptr(200)})
			if got := bodies(old.Messages); !slices.Equal(got, kept) || old.Epoch != joined.Epoch {
				t.Errorf("history of epoch %q has %d messages, %d were saved", old.Epoch, len(got), len(kept))
			}
			if edited, deleted := old.Messages[48], old.Messages[49]; edited.Edited == nil || len(edited.Reactions) != 1 || deleted.Deleted == nil {
				t.Errorf("the last that were saved have lost their changes: %+v, %+v", edited, deleted)
			}
			s.equal()
		})
	}
}

// changeLast lets a user change the last two of the messages said: the one at seq
// is deleted, that before it edited, and the user reacts to it. It returns the seq of
// the last change.
func changeLast(u *user, seq int64, said []string) int64 {
	n := len(said)
	said[n-2], said[n-1] = "edited", ""
	u.call(rpc.MethodEdit, rpc.EditParams{Channel: "lobby", Seq: seq - 1, Body: said[n-2]}, nil)
	u.call(rpc.MethodDelete, rpc.DeleteParams{Channel: "lobby", Seq: seq}, nil)
	return changer{u}.react(seq-1, "+", false).Seq
}

// joined joins a channel and returns the user.
func (u *user) joined(channel string) *user {
	u.t.Helper()
	u.join(channel)
	return u
}
