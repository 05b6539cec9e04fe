package embedded

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	writableByGroup = 0o020
	writableByAll   = 0o002
	openToOthers    = 0o077
	// maxLock is more than a process id takes, in bytes.
	maxLock = 32
)

// checkOwn refuses a folder that another user may have prepared: what is in it
// would be trusted, and written to wherever it leads. It closes the folder to
// the writing of its group.
func checkOwn(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("data folder %s cannot be inspected: %w", path, err)
	}
	switch mode := info.Mode(); {
	case !isOwn(info):
		return fmt.Errorf("data folder %s belongs to another user: choose another folder with --data", path)
	case mode&writableByAll != 0:
		return fmt.Errorf("data folder %s is writable by all users: check its contents, and close it with `chmod 700`", path)
	case mode&writableByGroup != 0:
		_ = os.Chmod(path, mode.Perm()&^writableByGroup) // root's folder stays as it is
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("data folder %s cannot be read: %w", path, err)
	}
	for _, e := range entries {
		if wrong := planted(filepath.Join(path, e.Name()), info.Mode()&openToOthers == 0); wrong != "" {
			return fmt.Errorf("data folder %s cannot be trusted, %s in it %s: remove that, or choose another folder with --data", path, e.Name(), wrong)
		}
	}
	return nil
}

// planted returns what is wrong with something in a data folder; "" for nothing.
// Folders may be links, to another disk.
func planted(path string, closed bool) (wrong string) {
	info, err := os.Lstat(path)
	if err == nil && isOwn(info) && info.Mode().Type() == fs.ModeSymlink {
		if info, err = os.Stat(path); err != nil || !info.IsDir() {
			return "is a symbolic link"
		}
	}
	switch {
	case err != nil:
		return "" // gone meanwhile, as a predecessor's temporary files
	case !isOwn(info):
		return "belongs to another user"
	case !info.IsDir() && !info.Mode().IsRegular():
		return "is not a file"
	case info.Mode()&writableByAll != 0 && !closed:
		return "is writable by all users"
	}
	return ""
}

// isOwn reports whether a file belongs to the user of this process, or to root.
func isOwn(info fs.FileInfo) bool {
	s, ok := info.Sys().(*syscall.Stat_t)
	return ok && (s.Uid == 0 || int(s.Uid) == os.Geteuid())
}

// openLock opens the lock file of a data folder, and no other file: what it
// holds is replaced.
func openLock(path string, create int) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(path, lockFile), os.O_RDWR|create|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(lock, maxLock))
	if pid := strings.TrimSpace(string(text)); err == nil && pid != "" {
		if _, bad := strconv.Atoi(pid); bad != nil {
			err = fmt.Errorf("its file %s is not one that parley wrote", lockFile)
		}
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return lock, nil
}
