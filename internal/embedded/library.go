package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	// LibraryEnv names the environment variable with the path of the
	// ClickHouse engine's shared library.
	LibraryEnv = "PARLEY_CHDB"

	// engineVersion is the release of the engine that is known to work: older
	// ones return at once instead of listening.
	engineVersion = "26.7"

	// packageFolder is where the npm package with the library is installed,
	// relative to the root of the source tree.
	packageFolder = "deploy/engine/node_modules/@chdb"
)

var libraryNames = []string{"libchdb.so", "libchdb.dylib"}

// ErrNoEngine reports that there is neither a clickhouse program nor the
// engine's library on this machine.
var ErrNoEngine = errors.New("no ClickHouse engine was found: there is no clickhouse program on the PATH, no libchdb.so beside this program or in " +
	packageFolder + ", and " + LibraryEnv + " is not set; `make build` installs the library")

// engine is one way to run ClickHouse: a program or a library.
type engine struct {
	program string // path of a clickhouse program, or ""
	library string // path of the shared library, or ""
	yields  bool   // see ClickHouseConfig
}

func (e engine) String() string {
	if e.program != "" {
		return e.program
	}
	return e.library
}

// FindEngine returns the path of the program or library that StartClickHouse
// would use, or an error that names what is missing.
func FindEngine() (string, error) {
	e, err := findEngine()
	return e.String(), err
}

// findEngine prefers what the user chose or installed over what came with us.
func findEngine() (engine, error) {
	if path := os.Getenv(LibraryEnv); path != "" {
		if _, err := os.Stat(path); err != nil { // #nosec G703 -- the operator names the library
			return engine{}, fmt.Errorf("%s names a library that cannot be read: %w", LibraryEnv, err)
		}
		path, err := filepath.Abs(path) // the engine runs elsewhere
		return engine{library: path}, err
	}
	if path, err := exec.LookPath("clickhouse"); err == nil {
		return engine{program: path}, nil
	}
	for _, dir := range libraryFolders() {
		for _, name := range libraryNames {
			path := filepath.Join(dir, name)
			if _, err := os.Stat(path); err == nil {
				return engine{library: path}, nil
			}
		}
	}
	return engine{}, ErrNoEngine
}

// libraryFolders lists where the library may be: beside the program, and in
// the package folder of the source tree that holds the program or that we are
// in.
func libraryFolders() []string {
	var folders, roots []string
	if exe, err := os.Executable(); err == nil {
		if real, err := filepath.EvalSymlinks(exe); err == nil {
			exe = real
		}
		folders = append(folders, filepath.Dir(exe))
		roots = append(roots, filepath.Dir(exe))
	}
	if wd, err := os.Getwd(); err == nil {
		roots = append(roots, wd)
	}
	for _, root := range roots {
		for dir := root; ; dir = filepath.Dir(dir) {
			packages, _ := os.ReadDir(filepath.Join(dir, packageFolder)) // most often there is no such folder
			for _, p := range packages {
				if strings.HasPrefix(p.Name(), "lib-") {
					folders = append(folders, filepath.Join(dir, packageFolder, p.Name()))
				}
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}
	return folders
}
