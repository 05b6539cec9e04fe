package embedded_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/parley-chat/parley/internal/embedded"
)

// somebody is another user of the machine.
const somebody = 65534

// What another user may have prepared is neither used nor written to.
func TestPlantedFoldersAreRefused(t *testing.T) {
	victim := filepath.Join(t.TempDir(), "victim")
	link := func(name string) func(dir string) error {
		return func(dir string) error { return os.Symlink(victim, filepath.Join(dir, name)) }
	}
	file := func(name string, mode os.FileMode, owner int) func(dir string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			if err := os.WriteFile(path, []byte("1\n"), 0o600); err != nil {
				return err
			}
			if err := os.Chmod(path, mode); err != nil {
				return err
			}
			return os.Chown(path, owner, -1)
		}
	}
	me := os.Geteuid()
	for name, c := range map[string]struct {
		plant func(dir string) error
		says  string
		root  bool // to be set up
	}{
		"LOCK is a link":              {link("LOCK"), "LOCK in it is a symbolic link", false},
		"VERSION is a link":           {link("VERSION"), "VERSION in it is a symbolic link", false},
		"a password is a link":        {link("clickhouse.password"), "clickhouse.password in it is a symbolic link", false},
		"a log is a link":             {link("clickhouse.log"), "clickhouse.log in it is a symbolic link", false},
		"a link to nothing":           {func(dir string) error { return os.Symlink("/nowhere/x", filepath.Join(dir, "LOCK")) }, "symbolic link", false},
		"LOCK is a pipe":              {func(dir string) error { return syscall.Mkfifo(filepath.Join(dir, "LOCK"), 0o600) }, "LOCK in it is not a file", false},
		"LOCK is a folder":            {func(dir string) error { return os.Mkdir(filepath.Join(dir, "LOCK"), 0o700) }, "cannot be locked", false},
		"LOCK is another file":        {func(dir string) error { return os.Link(victim, filepath.Join(dir, "LOCK")) }, "is not one that parley wrote", false},
		"a file that all may write":   {file("kafka.password", 0o666, me), "kafka.password in it is writable by all users", false},
		"a folder that all may write": {func(dir string) error { return os.Chmod(dir, 0o777) }, "is writable by all users", false},
		"somebody's folder":           {func(dir string) error { return os.Chown(dir, somebody, -1) }, "belongs to another user", true},
		"somebody's LOCK":             {file("LOCK", 0o600, somebody), "LOCK in it belongs to another user", true},
		"somebody's password":         {file("clickhouse.password", 0o600, somebody), "belongs to another user", true},
		"somebody's folder in it": {func(dir string) error {
			sub := filepath.Join(dir, "broker")
			if err := os.Mkdir(sub, 0o700); err != nil {
				return err
			}
			return os.Chown(sub, somebody, -1)
		}, "broker in it belongs to another user", true},
	} {
		t.Run(name, func(t *testing.T) {
			if c.root && me != 0 {
				t.Skip("it takes root to give a file to another user")
			}
			const kept = "what the victim has"
			if err := os.WriteFile(victim, []byte(kept), 0o600); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := c.plant(dir); err != nil {
				t.Fatal(err)
			}
			f, err := embedded.OpenFolder(within(t), dir)
			if err == nil {
				err = f.Close()
				t.Fatalf("it is opened (%v)", err)
			}
			wantSentence(t, err, dir, c.says)
			if text, err := os.ReadFile(victim); err != nil || string(text) != kept {
				t.Errorf("the victim's file holds %q: %v", text, err)
			}
		})
	}
}

// What operators do on purpose works: a folder elsewhere, a backup of hard
// links, files of one's own.
func TestFoldersOfOnesOwnAreOpened(t *testing.T) {
	disk, dir := t.TempDir(), t.TempDir()
	if err := os.Symlink(disk, filepath.Join(dir, "clickhouse")); err != nil {
		t.Fatal(err)
	}
	at := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(dir, at); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		f, err := embedded.OpenFolder(within(t), at)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		_ = os.Link(filepath.Join(dir, "LOCK"), filepath.Join(disk, "LOCK"))
	}
	if err := embedded.RemoveFolder(dir); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(disk); err != nil {
		t.Errorf("the folder behind a link is gone: %v", err)
	}
}
