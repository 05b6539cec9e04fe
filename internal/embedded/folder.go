package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	lockFile    = "LOCK"
	versionFile = "VERSION"

	// folderVersion is the layout this program reads and writes.
	folderVersion = 1

	// folderPatience is how long a start waits for a predecessor that is
	// still going down.
	folderPatience = 5 * time.Second
	retryEvery     = 50 * time.Millisecond
)

// Folder is a data folder that this process has to itself until Close.
type Folder struct {
	path string
	lock *os.File
}

// IsFolder reports whether path is a data folder that this program, or another
// version of it, has made.
func IsFolder(path string) bool {
	_, err := os.Stat(filepath.Join(path, versionFile))
	return err == nil
}

// OpenFolder creates the folder where it is missing and locks it. It waits a
// few seconds for a process that is just ending, and fails when the folder is
// in use, was written by a newer version of the program, or may have been
// prepared by another user.
func OpenFolder(ctx context.Context, path string) (*Folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("data folder %s cannot be resolved: %w", path, err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, fmt.Errorf("data folder %s cannot be created: %w", path, err)
	}
	if err := checkOwn(path); err != nil {
		return nil, err
	}
	lock, err := openLock(path, os.O_CREATE)
	if err != nil {
		return nil, fmt.Errorf("data folder %s cannot be locked: %w", path, err)
	}
	f := &Folder{path: path, lock: lock}
	if err := f.acquire(ctx); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	if err := f.checkVersion(); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return f, nil
}

// RemoveFolder deletes a data folder that no process uses, and fails at once
// when one does.
func RemoveFolder(path string) error {
	lock, err := openLock(path, 0)
	if err != nil {
		return fmt.Errorf("%s is not a data folder: %w", path, err)
	}
	defer lock.Close() //nolint:errcheck // the file is gone by then
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("data folder %s is in use: %w", path, err)
	}
	return os.RemoveAll(path)
}

// Path is the absolute path of the folder.
func (f *Folder) Path() string { return f.path }

// Close releases the folder for the next process. A child process that was
// given the lock keeps the folder until it ends too.
func (f *Folder) Close() error { return f.lock.Close() }

func (f *Folder) acquire(ctx context.Context) error {
	deadline := time.Now().Add(folderPatience)
	for {
		err := syscall.Flock(int(f.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f.sign()
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("data folder %s cannot be locked: %w", f.path, err)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("data folder %s is in use by %s: stop it or choose another folder with --data", f.path, f.owner())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("data folder %s is in use by %s: %w", f.path, f.owner(), ctx.Err())
		case <-time.After(retryEvery):
		}
	}
}

// sign writes our process id into the lock file, for processes that find it locked.
func (f *Folder) sign() error {
	if err := f.lock.Truncate(0); err != nil {
		return fmt.Errorf("lock file of data folder %s cannot be written: %w", f.path, err)
	}
	if _, err := f.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0); err != nil {
		return fmt.Errorf("lock file of data folder %s cannot be written: %w", f.path, err)
	}
	return nil
}

// openServerFolder opens a server's folder and closes it to other users, also
// one that was there before, as service managers make them: what the servers
// write there is readable to whoever can enter.
func openServerFolder(ctx context.Context, path string) (*Folder, error) {
	f, err := OpenFolder(ctx, path)
	if err != nil {
		return nil, err
	}
	if err := f.restrict(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Folder) restrict() error {
	info, err := os.Stat(f.path)
	if err == nil && info.Mode().Perm()&0o077 != 0 {
		err = os.Chmod(f.path, 0o700) // #nosec G302 -- a folder, which its owner alone enters
	}
	if err != nil {
		return fmt.Errorf("data folder %s must be closed to other users (mode 0700): %w", f.path, err)
	}
	return nil
}

func (f *Folder) owner() string {
	text, err := os.ReadFile(f.lock.Name())
	pid := strings.TrimSpace(string(text))
	if err != nil || pid == "" {
		return "another process"
	}
	return "process " + pid
}

func (f *Folder) checkVersion() error {
	name := filepath.Join(f.path, versionFile)
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.WriteFile(name, []byte(strconv.Itoa(folderVersion)+"\n"), 0o600); err != nil {
			return fmt.Errorf("data folder %s cannot be written: %w", f.path, err)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("version of data folder %s cannot be read: %w", f.path, err)
	}
	version, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil:
		return fmt.Errorf("data folder %s has %q where its version should be: choose another folder with --data", f.path, strings.TrimSpace(string(text)))
	case version > folderVersion:
		return fmt.Errorf("data folder %s is of version %d and this program reads up to version %d: use a newer parley or choose another folder with --data", f.path, version, folderVersion)
	}
	return nil
}
