package embedded

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Rights to files and folders in Landlock.
const (
	readFile   = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_EXECUTE
	readFolder = readFile | unix.LANDLOCK_ACCESS_FS_READ_DIR
	writeFile  = unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE
	// Rights by the version of Landlock that brought them.
	rights1 = 1<<13 - 1
	rights2 = unix.LANDLOCK_ACCESS_FS_REFER
	rights3 = unix.LANDLOCK_ACCESS_FS_TRUNCATE
)

// systemFiles are what a program needs to be loaded and to resolve a name, and
// nothing of any user's.
var systemFiles = []string{
	"/usr", "/lib", "/lib64", "/lib32", "/bin", "/proc", "/sys", "/dev",
	"/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/host.conf",
	"/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/gai.conf",
}

// confine keeps the calling thread, and every process that it starts, from all
// files but those in folder, those of the system and the given programs. It
// cannot be undone: the thread must end with its goroutine. It reports whether
// the kernel can do this.
//
// SQL has functions that read files whatever the user's rights are, and engines
// that create some before they check the rights.
func confine(folder string, programs ...string) (bool, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 || version < 2 { // the first one forbids to move files between folders
		return false, nil
	}
	handled := uint64(rights1 | rights2)
	if version >= 3 {
		handled |= rights3
	}
	ruleset := unix.LandlockRulesetAttr{Handled_access_fs: handled}
	if version >= 4 { // the engine makes no connections
		ruleset.Handled_access_net = unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&ruleset)), unsafe.Sizeof(ruleset), 0) // #nosec G103 -- how the kernel takes a structure
	if errno != 0 {
		return false, fmt.Errorf("create a Landlock ruleset: %w", errno)
	}
	defer unix.Close(int(fd)) //nolint:errcheck // the thread has taken it, or this failed
	err := allow(int(fd), folder, handled)
	for _, path := range append(programs, systemFiles...) {
		err = errors.Join(err, allow(int(fd), path, readFolder))
	}
	if err = errors.Join(err, allow(int(fd), os.DevNull, writeFile)); err != nil {
		return false, err
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return false, fmt.Errorf("give up new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0); errno != 0 {
		return false, fmt.Errorf("apply the Landlock ruleset: %w", errno)
	}
	return true, nil
}

// allow adds rights to what is at path, if there is something.
func allow(ruleset int, path string, rights uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return fmt.Errorf("inspect %s: %w", path, err)
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		rights &= readFile | writeFile
	}
	rule := unix.LandlockPathBeneathAttr{Allowed_access: rights, Parent_fd: int32(fd)}
	if _, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&rule)), 0, 0, 0); errno != 0 { // #nosec G103 -- the same
		return fmt.Errorf("allow %s: %w", path, errno)
	}
	return nil
}
