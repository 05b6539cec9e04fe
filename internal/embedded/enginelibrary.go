//go:build !noengine

package embedded

import (
	"fmt"
	"runtime"

	"github.com/ebitengine/purego"
)

// engineSymbol is the entry point of the library: the main function of
// clickhouse-local.
const engineSymbol = "chdb_query_cmdline"

// runLibrary calls the engine in this process. It returns only when the engine
// gives up: the last query of args never ends.
func runLibrary(path string, args []string) error {
	runtime.LockOSThread() // the engine keeps state of its main thread
	handle, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return fmt.Errorf("the ClickHouse library %s cannot be loaded: %w", path, err)
	}
	symbol, err := purego.Dlsym(handle, engineSymbol)
	if err != nil {
		return fmt.Errorf("%s is not a ClickHouse library of version %s: %w", path, engineVersion, err)
	}
	keepHandlersOut(handle)
	var engineMain func(argc int32, argv **byte) int32
	purego.RegisterFunc(&engineMain, symbol)
	argv := cStrings(append([]string{"clickhouse"}, args...))
	code := engineMain(int32(len(argv)-1), &argv[0])
	runtime.KeepAlive(argv)
	return fmt.Errorf("the ClickHouse library %s ended with code %d", path, code)
}

// keepHandlersOut leaves signals to this process. The engine's own handlers
// hold a crashing process back for seconds, to write a report; it is back
// sooner when it is simply gone. Releases without the switch do without.
func keepHandlersOut(handle uintptr) {
	symbol, err := purego.Dlsym(handle, "chdb_set_signal_handlers_enabled")
	if err != nil {
		return
	}
	var enable func(enabled int32)
	purego.RegisterFunc(&enable, symbol)
	enable(0)
}

// cStrings returns argv as C has it, the final null pointer included.
func cStrings(args []string) []*byte {
	argv := make([]*byte, len(args)+1)
	for i, arg := range args {
		text := append([]byte(arg), 0)
		argv[i] = &text[0]
	}
	return argv
}
