package check

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// calls are those that the fake docker got, without the questions whether
// there is an engine.
func (l *local) calls() string {
	l.t.Helper()
	for _, variable := range l.environment {
		if path, ok := strings.CutPrefix(variable, "PATH="); ok {
			name := filepath.Join(strings.SplitN(path, ":", 2)[0], "calls")
			text, err := os.ReadFile(name)
			if err != nil {
				l.t.Fatal(err)
			}
			if err := os.Remove(name); err != nil {
				l.t.Fatal(err)
			}
			var kept []string
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimPrefix(line, "compose -f deploy/compose.yaml "); !strings.HasPrefix(line, "info") && !strings.HasPrefix(line, "compose version") {
					kept = append(kept, strings.TrimSpace(line))
				}
			}
			return strings.Join(kept, "\n")
		}
	}
	return ""
}

// What docker is asked for; there is no engine here, so a fake one listens.
func TestDockerStack(t *testing.T) {
	l := newLocal(t, "exit 0")
	_, port, err := net.SplitHostPort(freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	here := []string{"LISTEN=127.0.0.1:" + port, "PARLEY_VERSION=v9"}
	with := " version=v9 port=" + port
	later := []string{"LISTEN=127.0.0.1:1", "PARLEY_VERSION=v10", "KAFKA_PORT=1"} // what runs keeps its own
	for _, c := range []struct {
		action      string
		environment []string
		says, calls string
	}{
		{"up", here, "stack: docker (an engine answers", "build connector-1 token-endpoint" + with + "\nup --detach --no-build --wait --wait-timeout 300" + with},
		{"up", later, "Parley is already running, in Docker.", "up --detach --no-build --wait --wait-timeout 300" + with},
		{"ps", later, "", "ps --all" + with},
		{"logs", later, "", "logs --follow --tail 100" + with},
		{"down", later, "the data stays in Docker's volumes", "down" + with},
		{"clean-data", here, "The data in Docker's volumes is deleted.", "down --volumes" + with},
	} {
		contains(t, l.do(c.action, c.environment...), c.says)
		if got := l.calls(); got != c.calls {
			t.Errorf("%s calls docker with\n%s\nwant\n%s", c.action, got, c.calls)
		}
	}
	contains(t, l.do("down", here...), "is not running")

	l.do("up", here...)
	l.refused("The docker stack is already running", "up", "STACK=embedded")
	contains(t, l.do("clean-data", later...), "https://localhost:"+port) // and it is up again, there
	l.do("down", here...)

	l.refused("is published at 127.0.0.1 alone", "up", "LISTEN=0.0.0.0:8080")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l.refused("is in use by", "up", "LISTEN="+taken.Addr().String())
}

// Hooks and ingest are there where they are asked for: at that start, and until its
// end.
func TestDockerStackWithProfiles(t *testing.T) {
	l := newLocal(t, `echo "$4 with '$COMPOSE_PROFILES' to '$PARLEY_URL'"`)
	stack := []string{"STACK=docker", "LISTEN=" + freeAddr(t)}
	l.refused("set PARLEY_URL", "up", append(stack, "COMPOSE_PROFILES=ingest,hooks")...)
	l.refused("there are hooks and ingest", "up", append(stack, "COMPOSE_PROFILES=*")...)
	both := append(stack, "COMPOSE_PROFILES=hooks,ingest", "PARLEY_URL=https://backend.example.com/")
	contains(t, l.do("up", both...), "up with 'hooks,ingest' to 'https://backend.example.com/'")
	contains(t, l.do("up", append(stack, "COMPOSE_PROFILES=ingest")...), "up with 'hooks,ingest' to 'https://backend.example.com/'")
	contains(t, l.do("down", append(stack, "PARTS=ingest")...), "Stopped: ingest.")
	contains(t, l.do("down", append(stack, "PARTS=roles")...), "Stopped: connector-1 connector-2 chatworker projector hooks ingest.")
	contains(t, l.do("down", stack...), "down with 'hooks,ingest' to 'https://backend.example.com/'")
	contains(t, l.do("up", stack...), "up with '' to ''")
	contains(t, l.do("up", both...), "up with '' to ''") // what runs keeps its own
	l.refused("there are roles (for all of connector-1 connector-2 chatworker projector)", "down", "STACK=docker", "PARTS=ingest")
}

// Other data is another project: neither touches the volumes of the other.
func TestDockerStackIsOfItsData(t *testing.T) {
	projects := map[string]bool{}
	l := newLocal(t, `echo "project $PARLEY_PROJECT"`)
	for _, data := range []string{l.data, l.data + "/", l.data + "-too"} {
		said := l.do("clean-data", "STACK=docker", "DATA="+data)
		_, project, found := strings.Cut(said, "project ")
		if !found {
			t.Fatalf("no project in %q", said)
		}
		projects[strings.Fields(project)[0]] = true
	}
	if len(projects) != 2 {
		t.Errorf("two folders of data have the projects %v", projects)
	}
}

// Where the engine is gone, as after a restart of the machine, one may do
// without it.
func TestDockerEngineIsGone(t *testing.T) {
	needFile(t, "deploy/engine/node_modules/@chdb/lib-*/libchdb.*", "run make build")
	l := newLocal(t, `[ -z "$GONE" ]`)
	l.do("up", "STACK=docker")
	contains(t, l.do("down", "GONE=yes"), "is not running")
	contains(t, l.do("up", "GONE=yes"), "stack: embedded", "Parley is ready")
	contains(t, l.do("down", "GONE=yes"), "Parley has stopped")
	contains(t, l.do("down"), "All containers are gone")
}

func TestDockerStackSaysWhatIsMissing(t *testing.T) {
	newLocal(t, noEngine).refused("no engine answers", "up", "STACK=docker")
	newLocal(t, `[ "$1" != compose ]`).refused("has no compose", "up", "STACK=docker")
	newLocal(t, `case "$*" in *" up "*) exit 1 ;; esac`).refused("Not every part is ready", "up", "STACK=docker", "LISTEN="+freeAddr(t))
	newLocal(t, noEngine).refused("there are docker, processes, embedded", "up", "STACK=podman")
}
