package check

import (
	"net"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// printed finds the command for a target of make in what a script printed, runs
// it as whoever reads it does, with nothing set but what it says, and returns
// what it prints.
func (l *local) printed(said, target string) string {
	l.t.Helper()
	command := regexp.MustCompile("`(make " + target + "\\b[^`]*)`").FindStringSubmatch(said)
	if command == nil {
		l.t.Fatalf("no command for make %s in:\n%s", target, said)
	}
	cmd := exec.Command("bash", "-c", command[1])
	cmd.Dir = l.checkout
	for _, variable := range l.environment {
		if name, _, _ := strings.Cut(variable, "="); name != "DATA" && name != "LISTEN" {
			cmd.Env = append(cmd.Env, variable)
		}
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", command[1], err, out)
	}
	return string(out)
}

// The commands that are printed are about the Parley that printed them, whatever
// data and stack it was started with, and a later start keeps the address.
func TestPrintedCommandsWork(t *testing.T) {
	needFile(t, "deploy/engine/node_modules/@chdb/lib-*/libchdb.*", "run make build")
	l := newLocal(t, noEngine)
	up := l.do("up", "STACK=embedded")
	at := chatAddress(t, up)
	contains(t, version(t, l.checkout), described(t))
	l.refused("The embedded stack is one process", "down", "PARTS=roles")
	contains(t, l.printed(up, "clean-data"), "is deleted", at)
	down := l.printed(up, "down")
	contains(t, down, "Parley has stopped")
	up = l.printed(down, "up")
	contains(t, up, at)
	contains(t, l.printed(up, "down"), "Parley has stopped")
}

// version is what the program says that `make build` has made.
func version(t *testing.T, checkout string) string {
	t.Helper()
	out, err := exec.Command(checkout+"/bin/parley", "version").CombinedOutput()
	if err != nil {
		t.Fatalf("parley version: %v\n%s", err, out)
	}
	return string(out)
}

// described is what Git says of the source.
func described(t *testing.T) string {
	t.Helper()
	cmd := exec.Command("git", "describe", "--tags", "--always", "--dirty")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Skip("the source is in no Git repository")
	}
	return "parley " + strings.TrimSpace(string(out)) + " "
}

// A later start takes ports, project and password from the one before, and what
// is built from now.
func TestDockerStackRemembers(t *testing.T) {
	l := newLocal(t, `echo "kafka=$KAFKA_PORT project=$PARLEY_PROJECT password=$CLICKHOUSE_PASSWORD"`)
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	_, kafka, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	up := l.do("up", "STACK=docker", "LISTEN=127.0.0.1:"+port, "KAFKA_PORT="+kafka, "PARLEY_PROJECT=mine", "CLICKHOUSE_PASSWORD=secret", "PARLEY_VERSION=v9")
	kept := "kafka=" + kafka + " project=mine password=secret"
	contains(t, up, kept, "https://localhost:"+port)
	down := l.printed(up, "down")
	contains(t, down, kept)
	_ = l.calls()
	contains(t, l.printed(down, "up"), kept, "https://localhost:"+port)
	if calls := l.calls(); !strings.Contains(calls, "port="+port) || strings.Contains(calls, "version=v9") {
		t.Errorf("the second start calls docker with\n%s", calls)
	}
	contains(t, l.do("down", "PARTS=roles"), "Stopped: connector-1 connector-2 chatworker projector.")
	if calls := l.calls(); !strings.HasPrefix(calls, "stop connector-1 connector-2 chatworker projector") {
		t.Errorf("to stop the roles calls docker with\n%s", calls)
	}
	l.refused("there are roles", "down", "PARTS=conector-1")
}

// Whoever gives no password gets a random one, which nobody else can read and
// which a later start keeps.
func TestDockerStackChoosesAPassword(t *testing.T) {
	l := newLocal(t, `echo "password=$CLICKHOUSE_PASSWORD"`)
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	password := regexp.MustCompile(`password=([0-9a-f]{32})\n`)
	first := password.FindString(l.do("up", "STACK=docker", "LISTEN=127.0.0.1:"+port))
	if first == "" {
		t.Fatal("there is no password")
	}
	settings := l.data + "-docker/settings"
	if info, err := os.Stat(settings); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", settings, info.Mode(), err)
	}
	l.do("down")
	contains(t, l.do("up", "STACK=docker"), first)
}
