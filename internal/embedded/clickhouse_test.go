package embedded_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/freeport"
)

func TestClickHouseKeepsItsTables(t *testing.T) {
	needEngine(t)
	dir, addr := t.TempDir(), freeport.AddressFor(t)
	c := startClickHouse(t, addr, dir)
	execute(t, addr, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
	execute(t, addr, "INSERT INTO t VALUES (7)")
	stopClickHouse(t, c)
	if alive(c.Pid()) {
		t.Error("the child is still there")
	}

	c = startClickHouse(t, addr, dir)
	defer stopClickHouse(t, c)
	if got := number(t, addr, "SELECT a FROM t"); got != 7 {
		t.Errorf("read %d after the restart, want 7", got)
	}
	if c.HTTPAddr() != "" {
		t.Errorf("nobody asked for HTTP, and it is served at %s", c.HTTPAddr())
	}
}

// Neither the name of the folder nor the environment has a meaning for the engine.
func TestClickHouseInStrangeSurroundings(t *testing.T) {
	needEngine(t)
	for _, folder := range []string{"chat {prod}", "a*b?[c]", "<x> & 'y' \"z\"", "{1..3}", "per%20cent", "$HOME $(x) $path", "ünïcode 聊天", "new\nline"} {
		dir := filepath.Join(t.TempDir(), folder)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c := startClickHouse(t, "127.0.0.1:0", dir)
		execute(t, c.Addr(), "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
		execute(t, c.Addr(), "INSERT INTO t VALUES (7)")
		stopClickHouse(t, c)
		c = startClickHouse(t, "127.0.0.1:0", dir)
		if got := number(t, c.Addr(), "SELECT a FROM t"); got != 7 {
			t.Errorf("folder %q: read %d, want 7", folder, got)
		}
		execute(t, c.Addr(), "BACKUP DATABASE default TO File('monday')")
		stopClickHouse(t, c)
	}
	if _, err := embedded.StartClickHouse(t.Context(), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: filepath.Join(t.TempDir(), "${path}")}); err == nil || !strings.Contains(err.Error(), "choose another folder") {
		t.Errorf("a folder that the engine cannot use: error %v", err)
	}
	for _, zone := range []string{"CST-8", "UTC0", ":nowhere", "../../etc/passwd"} {
		t.Setenv("TZ", zone)
		stopClickHouse(t, startClickHouse(t, "127.0.0.1:0", t.TempDir()))
	}
}

// A stranger who speaks TLS to it ends the child, also before it is ready: it
// is started again.
func TestClickHouseStartsDespiteStrangers(t *testing.T) {
	needEngine(t)
	for range 3 {
		addr := freeport.AddressFor(t)
		ctx, stop := context.WithCancel(t.Context())
		var stranger sync.WaitGroup
		stranger.Go(func() {
			for hits := 0; hits < 2 && ctx.Err() == nil; time.Sleep(time.Millisecond) {
				conn, err := net.Dial("tcp", addr)
				if err != nil {
					continue
				}
				_, _ = conn.Write([]byte("\x16\x03\x01\x00\x05hello"))
				conn.Close()
				hits++
			}
		})
		c := startClickHouse(t, addr, t.TempDir())
		stop()
		stranger.Wait()
		stopClickHouse(t, c)
	}
}

func TestClickHouseDiesWithItsParentAndStartsAgain(t *testing.T) {
	needEngine(t)
	dir, listen := t.TempDir(), freeport.AddressFor(t)
	for round := range 3 {
		cmd, pid, addr := startHolder(t, dir, listen)
		if round == 0 {
			execute(t, addr, "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
		}
		execute(t, addr, fmt.Sprintf("INSERT INTO t SETTINGS async_insert = 0 VALUES (%d)", round))
		if got := number(t, addr, "SELECT count() FROM t"); got != uint64(round+1) {
			t.Errorf("round %d: %d rows, want %d", round, got, round+1)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		await.That(t, "the child ends with its parent", func() bool { return !alive(pid) })
	}
}

func TestClickHouseComesBack(t *testing.T) {
	needEngine(t)
	c := startClickHouse(t, "127.0.0.1:0", t.TempDir())
	defer stopClickHouse(t, c)
	execute(t, c.Addr(), "CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a")
	execute(t, c.Addr(), "INSERT INTO t SETTINGS async_insert = 0 VALUES (7)")
	for what, harm := range map[string]func(){
		"killed": func() { _ = syscall.Kill(c.Pid(), syscall.SIGKILL) },
	} {
		before := c.Pid()
		harm()
		await.That(t, "a new child after being "+what, func() bool { return c.Pid() != before })
		if got := number(t, c.Addr(), "SELECT a FROM t"); got != 7 {
			t.Errorf("%s: read %d afterwards, want 7", what, got)
		}
	}
}

func TestClickHouseStopsWhileItCannotComeBack(t *testing.T) {
	needEngine(t)
	c := startClickHouse(t, "127.0.0.1:0", t.TempDir())
	if err := syscall.Kill(c.Pid(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	stopClickHouse(t, c)
	await.That(t, "no child is left", func() bool { return !alive(c.Pid()) })
}

func ping(addr string, auth clickhouse.Auth) error {
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: auth})
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Ping(context.Background())
}

func TestClickHouseSaysWhatIsWrong(t *testing.T) {
	needEngine(t)
	junk := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(junk, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("not a library", func(t *testing.T) {
		t.Setenv(embedded.LibraryEnv, junk)
		_, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
		wantSentence(t, err, junk, "cannot be loaded")
	})
	t.Run("library is missing", func(t *testing.T) {
		t.Setenv(embedded.LibraryEnv, junk+".2")
		_, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
		wantSentence(t, err, embedded.LibraryEnv, junk+".2", "no such file")
	})
	t.Run("no engine at all", func(t *testing.T) {
		t.Setenv(embedded.LibraryEnv, "")
		t.Setenv("PATH", "")
		t.Chdir("/")
		_, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
		wantSentence(t, err, "no ClickHouse engine was found", embedded.LibraryEnv, "make build")
	})
	t.Run("port in use", func(t *testing.T) {
		c := startClickHouse(t, "127.0.0.1:0", t.TempDir())
		defer stopClickHouse(t, c)
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		defer cancel()
		_, err := embedded.StartClickHouse(ctx, embedded.ClickHouseConfig{Listen: c.Addr(), DataDir: t.TempDir()})
		wantSentence(t, err, c.Addr(), fmt.Sprintf("in use by process %d", os.Getpid()))
	})
}

// TestInstalledProgramWins runs with a stand-in for clickhouse on the PATH.
func TestInstalledProgramWins(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho installed clickhouse was asked to be \"$1\"\n"
	if err := os.WriteFile(filepath.Join(bin, "clickhouse"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv(embedded.LibraryEnv, "")
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	_, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	wantSentence(t, err, filepath.Join(bin, "clickhouse"), "installed clickhouse was asked to be local")
}

func startClickHouse(t *testing.T, listen, dir string) *embedded.ClickHouse {
	t.Helper()
	return startWith(t, embedded.ClickHouseConfig{Listen: listen, DataDir: dir})
}

// testPassword is that of the servers of these tests.
const testPassword = "a-password-of-tests"

func startWith(t *testing.T, cfg embedded.ClickHouseConfig) *embedded.ClickHouse {
	t.Helper()
	presetPassword(t, cfg.DataDir)
	c, err := embedded.StartClickHouse(within(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func stopClickHouse(t *testing.T, c *embedded.ClickHouse) {
	t.Helper()
	if err := c.Stop(within(t)); err != nil {
		t.Error(err)
	}
}

func presetPassword(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, embedded.ClickHousePasswordFile), []byte(testPassword), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startHolder starts another process that holds a ClickHouse child.
func startHolder(t *testing.T, dir, listen string) (cmd *exec.Cmd, childPid int, addr string) {
	t.Helper()
	presetPassword(t, dir)
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderEnv+"="+dir, holderEnv+"_LISTEN="+listen)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscan(line, &childPid, &addr); err != nil {
		t.Fatalf("the holder says %q: %v", line, err)
	}
	return cmd, childPid, addr
}

func connect(t *testing.T, addr string) clickhouse.Conn {
	t.Helper()
	return connectAs(t, addr, clickhouse.Auth{Username: embedded.User, Password: testPassword})
}

func connectAs(t *testing.T, addr string, auth clickhouse.Auth) clickhouse.Conn {
	t.Helper()
	conn, err := clickhouse.Open(&clickhouse.Options{Addr: []string{addr}, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func execute(t *testing.T, addr, query string) {
	t.Helper()
	conn := connect(t, addr)
	defer conn.Close()
	if err := conn.Exec(within(t), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func number(t *testing.T, addr, query string) uint64 {
	t.Helper()
	conn := connect(t, addr)
	defer conn.Close()
	var n uint64
	if err := conn.QueryRow(within(t), "SELECT toUInt64(("+query+"))").Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n
}

// alive reports whether the process runs; one that only awaits its parent's
// notice does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
