package stack_test

import (
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/clickhouse"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

const patience = time.Minute

func TestMain(m *testing.M) { embeddedtest.Main(m) }

func TestDamagedAddressesAreRefused(t *testing.T) {
	for _, text := range []string{"", "{", `{"kafka":"127.0.0.1:1","kafka":"127.0.0.1:2"}`, `{"kafka":"\ud83d"}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "addresses.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := stack.ReadAddresses(dir); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%q is read as %+v, %v", text, a, err)
		}
	}
}

func TestStackServesThePageAndSaysWhereItIs(t *testing.T) {
	dir := t.TempDir()
	s := start(t, stack.Config{Listen: "127.0.0.1:0", DataDir: dir})
	if !s.Health(t.Context()).Ready() {
		t.Error("the stack has started and is not ready")
	}
	written, err := stack.ReadAddresses(dir)
	if err != nil {
		t.Fatal(err)
	}
	if written != s.Addresses() || written.Pid != os.Getpid() {
		t.Errorf("the folder says %+v, the stack %+v", written, s.Addresses())
	}
	if body := get(t, written.Chat); !strings.Contains(body, "<html") {
		t.Errorf("%s does not serve the page: %q", written.Chat, body)
	}
	if written.ClickHouseHTTP != "" {
		t.Errorf("nobody asked for SQL by HTTP, and it is at %s", written.ClickHouseHTTP)
	}
	stop(t, s)
	if _, err := stack.ReadAddresses(dir); err == nil || !strings.Contains(err.Error(), "no parley runs on data folder "+dir) {
		t.Errorf("after the stop the folder still names addresses: %v", err)
	}
	select {
	case <-s.Failed():
		t.Errorf("a stop in order counts as a failure: %v", s.Err())
	default:
	}
}

func TestStackStartsAgainOnTheSameDataAndPort(t *testing.T) {
	dir := t.TempDir()
	listen := "127.0.0.1:0"
	for range 3 {
		s := start(t, stack.Config{Listen: listen, DataDir: dir})
		listen = strings.TrimPrefix(s.Addresses().Chat, "http://")
		stop(t, s)
	}
}

func TestStackThatCannotStartLeavesNothing(t *testing.T) {
	embeddedtest.NeedEngine(t)
	taken := start(t, stack.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	defer stop(t, taken)
	listen := strings.TrimPrefix(taken.Addresses().Chat, "http://")
	newer := t.TempDir()
	if err := os.WriteFile(filepath.Join(newer, "VERSION"), []byte("7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for want, cfg := range map[string]stack.Config{
		listen + " is in use": {Listen: listen, DataDir: dir},
		"is of version 7":     {Listen: "127.0.0.1:0", DataDir: newer},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		_, err := stack.Start(ctx, cfg)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that says %q", err, want)
		}
	}
	// What failed has given up its folder, or this would wait in vain.
	stop(t, start(t, stack.Config{Listen: "127.0.0.1:0", DataDir: dir}))
}

func TestClickHouseIsStartedAgain(t *testing.T) {
	s := start(t, stack.Config{Listen: "127.0.0.1:0", DataDir: t.TempDir()})
	defer stop(t, s)
	dsn := s.Addresses().ClickHouse
	if err := ping(dsn); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(embeddedtest.EngineOf(t, os.Getpid()), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	down := false
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := ping(dsn)
		down = down || err != nil
		if down && err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not back at the same address: seen down: %v, last: %v", down, err)
		}
	}
	select {
	case <-s.Failed():
		t.Errorf("chat has stopped with it: %v", s.Err())
	default:
	}
}

func start(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	embeddedtest.NeedEngine(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := stack.Start(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func stop(t *testing.T, s *stack.Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Stop(ctx); err != nil {
		t.Error(err)
	}
}

func get(t *testing.T, url string) string {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func ping(dsn string) error {
	conn, err := clickhouse.New(dsn, clickhouse.Options{})
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	return conn.Ping(ctx)
}
