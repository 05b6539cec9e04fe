package check

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// local is `make up` and the like, in a checkout and with data of its own.
type local struct {
	t              *testing.T
	checkout, data string
	environment    []string
}

// newLocal takes a fake docker that carries out body and writes down how it was
// called.
func newLocal(t *testing.T, docker string) *local {
	t.Helper()
	bin := t.TempDir()
	script := "#!/bin/sh\necho \"$* version=$PARLEY_VERSION port=$PORT\" >>" + bin + "/calls\n" + docker + "\n"
	if err := os.WriteFile(bin+"/docker", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	// Names that a shell, sed or nginx might take for something else.
	l := &local{t: t, checkout: filepath.Join(t.TempDir(), "R&D check|out"), data: filepath.Join(t.TempDir(), "R&D data")}
	here, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(here, l.checkout); err != nil {
		t.Fatal(err)
	}
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		switch {
		case strings.HasPrefix(name, "OTEL_"), strings.HasPrefix(name, "MAKE"), strings.HasPrefix(name, "PARLEY_"),
			name == "MFLAGS", name == "STACK", name == "LISTEN", name == "PORT", name == "PATH", name == "PARTS", name == "COMPOSE_PROFILES":
		default:
			l.environment = append(l.environment, variable)
		}
	}
	l.environment = append(l.environment, "DATA="+l.data+"/", "LISTEN=127.0.0.1:0", "CONFIRM=yes", "PATH="+bin+":"+os.Getenv("PATH"))
	t.Cleanup(func() {
		if t.Failed() {
			l.tellLogs()
		}
		l.try("down")
	})
	return l
}

// tellLogs prints the last output of each part.
func (l *local) tellLogs() {
	logs, _ := filepath.Glob(l.data + "*/*.log") // the pattern is right
	for _, name := range logs {
		text, err := os.ReadFile(name)
		l.t.Logf("%s: %v\n%s", name, err, text[max(0, len(text)-2000):])
	}
}

func (l *local) try(action string, variables ...string) (string, error) {
	cmd := exec.Command(l.checkout+"/scripts/stack.sh", action)
	cmd.Env = append(append([]string{}, l.environment...), variables...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// do carries out an action that must work, and returns what it says.
func (l *local) do(action string, variables ...string) string {
	l.t.Helper()
	said, err := l.try(action, variables...)
	if err != nil {
		l.t.Fatalf("%s: %v\n%s", action, err, said)
	}
	return said
}

// refused carries out an action that must fail, and looks for a reason.
func (l *local) refused(reason, action string, variables ...string) {
	l.t.Helper()
	if said, err := l.try(action, variables...); err == nil || !strings.Contains(said, reason) {
		l.t.Errorf("%s %v: %v, says %q, want %q", action, variables, err, said, reason)
	}
}

// contains looks for each in a text.
func contains(t *testing.T, text string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in:\n%s", w, text)
		}
	}
}

// part waits until a part is ready by `make ps`, and returns its process.
func (l *local) part(name string) (pid int) {
	l.t.Helper()
	ready := regexp.MustCompile(`(?m)^` + name + ` +(\d+) +\S+ +yes$`)
	eventually(l.t, name+" is ready", func() bool {
		row := ready.FindStringSubmatch(l.do("ps"))
		if row == nil {
			return false
		}
		var err error
		pid, err = strconv.Atoi(row[1])
		return err == nil
	})
	return pid
}

func chatAddress(t *testing.T, said string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^ +chat +http://(\S+)`).FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("it does not say where the chat is:\n%s", said)
	}
	return found[1]
}

// talk sends one message from socket to socket, and returns the channel's
// history and the trace of the message.
func talk(t *testing.T, at, body string) (before []string, trace string) {
	t.Helper()
	ada, bob := enter(t, at, "ada"), enter(t, at, "bob")
	j := bob.join("lobby", 0, "")
	ada.join("lobby", 0, "")
	ada.chat("lobby", body)
	eventually(t, "bob gets it", func() bool { return len(bob.pushed()) == 1 })
	got := bob.pushed()[0]
	if got.Body != body {
		t.Errorf("bob gets %q, want %q", got.Body, body)
	}
	for _, m := range j.Messages {
		before = append(before, m.Body)
	}
	return before, got.Trace
}

// traced looks for a trace in the Jaeger of the stack, where there is one, and
// else for the advice to build one.
func (l *local) traced(said, trace string) {
	l.t.Helper()
	if _, err := os.Stat(root + "/bin/jaeger"); err != nil {
		contains(l.t, said, "make jaeger")
		return
	}
	store := regexp.MustCompile(`--jaeger (http://\S+)\)`).FindStringSubmatch(said)
	if store == nil {
		l.t.Fatalf("it does not say where Jaeger is:\n%s", said)
	}
	eventually(l.t, "the trace "+trace+" is in "+store[1], func() bool {
		return exec.Command(binary, "trace", trace, "--jaeger", store[1]).Run() == nil
	})
	l.part("jaeger")
}

const noEngine = "exit 1"

func TestProcessesStack(t *testing.T) {
	need(t, "nginx", "apt-get install nginx-light, or brew install nginx")
	need(t, "java", "Java 17 runs Apache Kafka")
	needFile(t, "deploy/kafka/libs/kafka-clients-*.jar", "run make kafka")
	l := newLocal(t, noEngine)
	said := l.do("up", "STACK=processes")
	at := chatAddress(t, said)
	contains(t, said, "stack: processes", "Apache Kafka", l.data+"-processes", "Jaeger")
	_, trace := talk(t, at, "one")
	l.traced(said, trace)
	l.healthy(said)
	parts := []string{"kafka", "clickhouse", "chatworker-1", "chatworker-2", "projector", "connector-1", "connector-2", "nginx"}
	var pids []int
	for _, name := range parts {
		pids = append(pids, l.part(name))
	}
	contains(t, l.do("up"), "stack: processes", "Parley is already running", at)
	l.refused("The processes stack is already running", "up", "STACK=embedded")
	contains(t, l.do("clean-data", "STACK=embedded"), "There is no data in "+l.data) // and what runs keeps its own
	if usual := regexp.MustCompile(`:80[89]\d$`); usual.MatchString(at) {
		t.Errorf("port 0 gives %s, near the usual one", at)
	}

	for _, name := range []string{"connector-1", "nginx", "kafka"} {
		l.kill(name)
	}
	contains(t, l.do("ps"), "no: it is not running; make up DATA=")
	contains(t, l.do("up"), "started again: kafka connector-1 nginx", at)
	if before, _ := talk(t, at, "two"); fmt.Sprint(before) != "[one]" {
		t.Errorf("history after kill -9 is %v, want [one]", before)
	}
	for _, name := range parts {
		pids = append(pids, l.part(name))
	}
	l.killsJaeger()
	l.killsAll(pids[len(pids)-len(parts):], at)
	for _, name := range parts {
		pids = append(pids, l.part(name))
	}
	l.stopsRoles()
	contains(t, l.do("down"), "All parts have stopped")
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("process %d still runs", pid)
		}
	}
	contains(t, l.do("down"), "is not running")
	contains(t, l.do("clean-data", "STACK=processes"), "is deleted")
	gone(t, l.data+"-processes")
}

// killsJaeger kills Jaeger, where there is one, and expects it back.
func (l *local) killsJaeger() {
	l.t.Helper()
	if _, err := os.Stat(root + "/bin/jaeger"); err != nil {
		return
	}
	l.kill("jaeger")
	contains(l.t, l.do("ps"), "no: it is not running; make up DATA=")
	said := l.do("up")
	_, trace := talk(l.t, chatAddress(l.t, said), "three")
	l.traced(said, trace)
}

// stopsRoles stops the roles alone, as a new epoch needs it.
func (l *local) stopsRoles() {
	l.t.Helper()
	contains(l.t, l.do("down", "PARTS=roles"), "Stopped: chatworker-1 chatworker-2 projector connector-1 connector-2.")
	rows := l.do("ps")
	if n := strings.Count(rows, "it is not running"); n != 5 {
		l.t.Errorf("%d parts are not running, want the roles:\n%s", n, rows)
	}
	contains(l.t, l.do("up"), "started again: chatworker-1 chatworker-2 projector connector-1 connector-2")
}

// killsAll kills every part, so that what nginx leaves behind keeps its port,
// and expects all of them back at the same address.
func (l *local) killsAll(pids []int, at string) {
	l.t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			l.t.Fatal(err)
		}
	}
	contains(l.t, l.do("up", "STACK=processes", "LISTEN="+at), at)
	talk(l.t, at, "four")
}

func (l *local) kill(name string) {
	l.t.Helper()
	if err := syscall.Kill(l.part(name), syscall.SIGKILL); err != nil {
		l.t.Fatal(err)
	}
}

// ofThisMachine are lines of the doctor about any healthy stack on one machine.
var ofThisMachine = regexp.MustCompile(`^checked: |^running: |^format of the log: |^rules about users: 0 |it has 1 broker\(s\)|this machine: |% are free`)

// healthy asks the doctor: of a stack on one machine it reports nothing but
// which roles run, that it is one machine, and how full its disk is.
func (l *local) healthy(said string) {
	l.t.Helper()
	where := regexp.MustCompile(`(?s)Kafka +(\S+) .*ClickHouse +(\S+) \(password in ([^\n]+)\)`).FindStringSubmatch(said)
	if where == nil {
		l.t.Fatalf("it does not say where Kafka and ClickHouse are:\n%s", said)
	}
	out, err := exec.Command(binary, "doctor", "--kafka", where[1], "--clickhouse", where[2], "--clickhouse-password-file", where[3]).CombinedOutput()
	if err != nil {
		l.t.Errorf("the doctor: %v\n%s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		if !ofThisMachine.MatchString(line) {
			l.t.Errorf("the doctor says %s", line)
		}
	}
}

// running reports whether a process runs; one that has ended and waits to be
// looked after does not.
func running(pid int) bool {
	out, err := exec.Command("ps", "-o", "stat=", "-p", strconv.Itoa(pid)).Output()
	return err == nil && !strings.HasPrefix(string(out), "Z")
}

func TestEmbeddedStack(t *testing.T) {
	needFile(t, "deploy/engine/node_modules/@chdb/lib-*/libchdb.*", "run make build")
	l := newLocal(t, noEngine)
	contains(t, l.do("ps"), "is not running")
	said := l.do("up")
	at := chatAddress(t, said)
	contains(t, said, "stack: embedded", l.data, "Jaeger")
	_, trace := talk(t, at, "one")
	l.traced(said, trace)
	contains(t, l.do("up"), "Parley is already running", at)
	l.refused("The embedded stack is already running", "up", "STACK=processes")
	l.kill("parley")
	if before, _ := talk(t, chatAddress(t, l.do("up")), "two"); fmt.Sprint(before) != "[one]" {
		t.Errorf("history after kill -9 is %v, want [one]", before)
	}
	at = chatAddress(t, l.do("up"))
	contains(t, l.do("clean-data"), "is deleted", at) // and it is up again, there
	pid := l.part("parley")
	contains(t, l.do("down"), "has stopped")
	if running(pid) {
		t.Errorf("process %d still runs", pid)
	}
	contains(t, l.do("clean-data", "STACK=embedded"), "is deleted")
	gone(t, l.data)
}

// A second `make up` while the first one starts waits for what it starts.
func TestUpWhileItStarts(t *testing.T) {
	needFile(t, "deploy/engine/node_modules/@chdb/lib-*/libchdb.*", "run make build")
	l := newLocal(t, noEngine)
	first := make(chan error, 1)
	go func() {
		_, err := l.try("up", "STACK=embedded")
		first <- err
	}()
	var pid int
	eventually(t, "a process is started", func() bool {
		text, err := os.ReadFile(l.data + "/run/parley.pid")
		_, scanned := fmt.Sscan(string(text), &pid)
		return err == nil && scanned == nil
	})
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	second := start(t, "env", append(l.environment, l.checkout+"/scripts/stack.sh", "up")...)
	second.find("(Parley is already running)")
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	second.find(`chat +http://(\S+)`)
	if err := <-first; err != nil {
		t.Error(err)
	}
}

func TestWrongAddressesAreRefused(t *testing.T) {
	l := newLocal(t, noEngine)
	for _, stack := range []string{"embedded", "processes", "docker"} {
		l.refused("not of the form host:port", "up", "STACK="+stack, "LISTEN=127.0.0.1:http")
	}
	// A load balancer on loopback's behalf would serve the network.
	for _, listen := range []string{":0", "0.0.0.0:0", "[::]:0", "192.0.2.1:0"} {
		l.refused("beyond this machine", "up", "STACK=processes", "LISTEN="+listen)
	}
}
