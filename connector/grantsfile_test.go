package connector

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/connector/grants"
)

// logged is a log that tests read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// lines takes the lines that have been logged since it was last asked.
func (l *logged) lines() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(l.text.String())
	l.text.Reset()
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

const (
	grantsJoin = `{"grants": [{"channels": ["lobby"], "allow": ["join"]}]}`
	grantsChat = `{"grants": [{"channels": ["lobby"], "allow": ["join", "chat"]}]}`
)

// grantsPath is where a test may put a file, short enough for errors to name it.
func grantsPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "grants")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "grants.json")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// maySay reports what a file grants to a user in a channel.
func (f *GrantsFile) maySay() (join, chat bool) {
	m := grants.Compile("ada", f.Grants())
	return m.Allows(grants.Join, "lobby", time.Time{}), m.Allows(grants.Chat, "lobby", time.Time{})
}

func TestGrantsFileIsReadAgain(t *testing.T) {
	path, log := grantsPath(t), new(logged)
	write(t, path, grantsJoin)
	f, err := OpenGrants(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	const kept = "; the grants that were read before stay in force: fix the file, and send SIGHUP again"
	for _, c := range []struct {
		name     string
		change   func()
		chat     bool
		level    string
		contains []string
	}{
		{"unchanged", func() {}, false, "INFO", []string{"was read again", path}},
		{"more", func() { write(t, path, grantsChat) }, true, "INFO", []string{"was read again"}},
		{"half written", func() { write(t, path, grantsJoin[:40]) }, true, "ERROR", []string{path + " cannot be used: line 1: it is not JSON", kept}},
		{"still so", func() {}, true, "ERROR", []string{"cannot be used", kept}},
		{"empty", func() { write(t, path, "") }, true, "ERROR", []string{"cannot be used: line 1", kept}},
		{"malformed", func() { write(t, path, "{\"grants\": [\n{\"channels\": [\"{users}\"], \"allow\": []}]}") }, true, "ERROR", []string{"line 2: grants/0/channels/0 has a {", kept}},
		{"too long", func() { write(t, path, grantsJoin+strings.Repeat(" ", grants.MaxFile)) }, true, "ERROR", []string{"more than 1 MiB", kept}},
		{"gone", func() { _ = os.Remove(path) }, true, "ERROR", []string{path + " cannot be read: no such file or directory", kept}},
		{"a folder", func() { _ = os.Mkdir(path, 0o700) }, true, "ERROR", []string{"cannot be read: it is not a regular file", kept}},
		{"a pipe", func() { _ = os.Remove(path); _ = syscall.Mkfifo(path, 0o600) }, true, "ERROR", []string{"cannot be read: it is not a regular file", kept}},
		{"right again", func() { _ = os.Remove(path); write(t, path, grantsJoin) }, false, "INFO", []string{"was read again"}},
	} {
		c.change()
		f.Reload()
		lines := log.lines()
		if len(lines) != 1 || !strings.Contains(lines[0], "level="+c.level) {
			t.Errorf("%s: logged %q", c.name, lines)
			continue
		}
		for _, want := range c.contains {
			if !strings.Contains(strings.ReplaceAll(lines[0], `\"`, `"`), want) {
				t.Errorf("%s: logged %s, without %q", c.name, lines[0], want)
			}
		}
		if join, chat := f.maySay(); !join || chat != c.chat {
			t.Errorf("%s: it grants join %v, chat %v", c.name, join, chat)
		}
	}
}

// A file that cannot be used at the start is an error, not a file without grants.
func TestBadGrantsFileIsRefusedAtTheStart(t *testing.T) {
	path, log := grantsPath(t), new(logged)
	for text, want := range map[string]string{
		"":     path + " cannot be used: line 1: it is not JSON",
		"{}":   path + " cannot be used: line 1: grants is missing",
		"gone": path + " cannot be read: no such file",
	} {
		if text == "gone" {
			_ = os.Remove(path)
		} else {
			write(t, path, text)
		}
		f, err := OpenGrants(path, slog.New(slog.NewTextHandler(log, nil)))
		if f != nil || err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if lines := log.lines(); lines != nil {
		t.Errorf("what is returned is logged too: %q", lines)
	}
	var none *GrantsFile
	if join, chat := none.maySay(); join || chat {
		t.Error("without a file something is granted")
	}
}

func TestMisspelledActionsAreLogged(t *testing.T) {
	path, log := grantsPath(t), new(logged)
	write(t, path, `{"grants": [{"channels": ["lobby"], "allow": ["join", "chta", "api", "chta"]}]}`)
	f, err := OpenGrants(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if lines := log.lines(); len(lines) != 1 || !strings.Contains(lines[0], "level=WARN") || !strings.Contains(lines[0], `actions="api, chta"`) {
		t.Errorf("logged %q", lines)
	}
	if join, chat := f.maySay(); !join || chat {
		t.Errorf("it grants join %v, chat %v", join, chat)
	}
}

// The process gets SIGHUP, as from an operator.
func TestGrantsFileFollowsSIGHUP(t *testing.T) {
	path, log := grantsPath(t), new(logged)
	write(t, path, grantsJoin)
	f, err := OpenGrants(path, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		(&Config{Grants: f}).FollowFiles(ctx, signals)
	}()
	hangUp := func(text string) (line string) {
		write(t, path, text)
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for {
			if lines := log.lines(); lines != nil {
				return lines[0]
			}
			time.Sleep(time.Millisecond)
		}
	}
	if line := hangUp(grantsChat); !strings.Contains(line, "was read again") {
		t.Errorf("logged %s", line)
	}
	if _, chat := f.maySay(); !chat {
		t.Error("the file was not read again")
	}
	if line := hangUp("{"); !strings.Contains(line, "cannot be used") {
		t.Errorf("logged %s", line)
	}
	if _, chat := f.maySay(); !chat {
		t.Error("a bad file took the grants away")
	}
	signal.Stop(signals)
	cancel()
	<-ended
	close(signals)
	(&Config{Grants: f}).FollowFiles(t.Context(), signals) // ends with the channel
}

// A file of grants costs a session next to nothing, however long it is.
func TestSessionsShareTheFileOfGrants(t *testing.T) {
	var text strings.Builder
	for i := range grants.MaxGrants {
		fmt.Fprintf(&text, `,{"channels": ["room-%d-*", "lobby-%d"], "allow": ["join"]}`, i, i)
	}
	file, _ := grantsFileOf(t, `{"grants": [`+text.String()[1:]+`]}`)
	if n := testing.AllocsPerRun(100, func() { grants.Compile("ada", file.Grants()) }); n > 10 {
		t.Errorf("a session takes %v allocations for a file of %d grants", n, grants.MaxGrants)
	}
}
