package embedded

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/child"
)

const (
	// engineLog is the child's output, in its data folder.
	engineLog = "clickhouse.log"
	// engineStart bounds a start, on data of any size.
	engineStart = 60 * time.Second
	// engineStop is how long a stop may take before the child is killed.
	engineStop = 10 * time.Second
	// engineOutput is how long the child's last output may take to arrive.
	engineOutput = time.Second
)

// errPortTaken reports that the child could not have the port it was given.
var errPortTaken = errors.New("the port was taken in the meantime")

// errCrashed reports that the child died of a signal: a stranger's bytes are
// enough for that, and another start is not.
var errCrashed = errors.New("it crashed")

// life is one life of the ClickHouse child.
type life struct {
	addr, httpAddr string
	child          *child.Process
	lifeline       io.Closer // the child ends when this is closed
	output         *logFile
	confined       bool // the child can reach no files but its own and the system's
}

// engineListen is where the engine listens, for the gate alone: at a port of a
// loopback address that nobody can guess, as a request of a web page would end
// it. Only Linux has more than one such address, and HTTP is for people to find.
func engineListen(httpPort string) string {
	const usual = "127.0.0.1:0"
	if runtime.GOOS != "linux" || httpPort != "" {
		return usual
	}
	var b [3]byte
	_, _ = rand.Read(b[:]) // which never fails
	address := fmt.Sprintf("127.%d.%d.%d:0", b[0], b[1], 1+b[2]%254)
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return usual // this machine's loopback has but one address
	}
	_ = ln.Close()
	return address
}

// begin starts a child and returns when it answers queries. Without httpPort
// there is no HTTP; "0" takes any free port.
func begin(ctx context.Context, e engine, folder *Folder, secret, httpPort string) (*life, error) {
	config, err := writeEngineConfig(folder.Path(), secret)
	if err != nil {
		return nil, err
	}
	addr, err := reserve(ctx, engineListen(httpPort), "--listen")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("ClickHouse cannot listen at %s: %w", addr, err)
	}
	l := &life{addr: addr}
	if httpPort != "" {
		if l.httpAddr, err = reserve(ctx, net.JoinHostPort(host, httpPort), "--listen"); err != nil {
			return nil, err
		}
		if _, httpPort, err = net.SplitHostPort(l.httpAddr); err != nil {
			return nil, fmt.Errorf("ClickHouse cannot listen at %s: %w", l.httpAddr, err)
		}
	}
	args := append(engineArgs(e), engineFlags(folder.Path(), config, host, port, httpPort)...)
	if err := l.launch(e, folder, args); err != nil {
		return nil, err
	}
	if err := l.awaitReady(ctx, e, secret); err != nil {
		return nil, errors.Join(err, l.kill())
	}
	return l, nil
}

// launch starts the child. It is given the folder's lock, so that the folder
// stays locked until the child has ended too.
func (l *life) launch(e engine, folder *Folder, args []string) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("ClickHouse cannot be started: %w", err)
	}
	stdin, lifeline, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("ClickHouse cannot be started: %w", err)
	}
	defer stdin.Close() //nolint:errcheck // only the child reads from it
	if l.output, err = newLogFile(filepath.Join(folder.Path(), engineLog)); err != nil {
		return errors.Join(err, lifeline.Close())
	}
	cmd := exec.Command(exe, args...) // #nosec G204 -- exe is this program itself
	cmd.Dir = "/"                     // the engine takes the path of where it runs for a pattern
	cmd.Env = engineEnvironment()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, l.output, l.output
	cmd.ExtraFiles = []*os.File{folder.lock}
	cmd.WaitDelay = engineOutput
	prepare := func() error {
		if e.yields {
			yield()
		}
		var err error
		l.confined, err = confine(folder.Path(), exe, e.String())
		return err
	}
	if l.child, err = child.Start(cmd, prepare); err != nil {
		return errors.Join(fmt.Errorf("ClickHouse cannot be started: %w", err), lifeline.Close(), l.output.Close())
	}
	l.lifeline = lifeline
	return nil
}

// engineEnvironment is what the child gets of the environment. The engine gives
// variables meanings of its own: with some values of TZ it does not start. Nor
// should it get secrets.
func engineEnvironment() []string {
	env := []string{"GOTRACEBACK=none"} // a crash is the engine's, not ours
	for _, name := range []string{"PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// awaitReady waits until the server answers a query, ends, or time is up.
func (l *life) awaitReady(ctx context.Context, e engine, secret string) error {
	ctx, cancel := context.WithTimeout(ctx, engineStart)
	defer cancel()
	conn, err := clickhouse.Open(&clickhouse.Options{
		Addr: []string{l.addr}, Auth: clickhouse.Auth{Username: User, Password: secret}, DialTimeout: time.Second,
	})
	if err != nil {
		return fmt.Errorf("ClickHouse cannot be reached: %w", err)
	}
	defer conn.Close() //nolint:errcheck // it carried nothing but pings
	for {
		err := conn.Ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-l.child.Done():
			return l.earlyEnd(e)
		case <-ctx.Done():
			return fmt.Errorf("ClickHouse (%s) did not answer at %s: %w: %w", e, l.addr, ctx.Err(), err)
		case <-time.After(retryEvery):
		}
	}
}

// earlyEnd explains why the child ended before it was ready.
func (l *life) earlyEnd(e engine) error {
	text, err := os.ReadFile(l.output.path)
	if err != nil {
		return fmt.Errorf("ClickHouse (%s) ended before it listened and its log cannot be read: %w", e, err)
	}
	text = text[min(l.output.from, len(text)):] // not what earlier lives left
	if bytes.Contains(text, []byte("Address already in use")) {
		return fmt.Errorf("ClickHouse cannot listen at %s: %w", l.addr, errPortTaken)
	}
	var ended *exec.ExitError
	crashed := errors.As(l.child.Err(), &ended) && !ended.Exited()
	said := strings.TrimSpace(string(text))
	said = said[strings.LastIndexByte(said, '\n')+1:]
	err = fmt.Errorf("ClickHouse (%s; version %s is known to work) ended before it listened, the last line of %s is: %s", e, engineVersion, l.output.path, said)
	if crashed {
		return fmt.Errorf("%w: %w", errCrashed, err)
	}
	return err
}

// end asks the child to end, and kills it when it does not in time or when ctx
// ends.
func (l *life) end(ctx context.Context) error {
	_ = l.child.Signal(syscall.SIGTERM) // it may be gone already
	select {
	case <-l.child.Done():
	case <-ctx.Done():
	case <-time.After(engineStop):
	}
	return l.kill()
}

// kill ends the child, if it has not ended, and waits for that.
func (l *life) kill() error {
	_ = l.child.Kill() // it may be gone already
	<-l.child.Done()
	return errors.Join(l.lifeline.Close(), l.output.Close())
}
