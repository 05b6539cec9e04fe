package freeport

import (
	"bufio"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// A port is not handed out while somebody listens at it, nor again soon.
func TestTake(t *testing.T) {
	seen := map[int]bool{}
	for range size / 2 {
		port, err := Take()
		if err != nil {
			t.Fatal(err)
		}
		if port >= 32_768 || seen[port] {
			t.Fatalf("port %d is handed out", port)
		}
		seen[port] = true
		ln, err := listen(port)
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
	}
	for range 2 * size {
		if port, err := Take(); err != nil || seen[port] {
			t.Fatalf("port %d is handed out while somebody listens at it, error %v", port, err)
		}
	}
}

// Another process has other ports.
func TestProcessesDoNotShare(t *testing.T) {
	const asked = "PARLEY_TEST_FREEPORT"
	if os.Getenv(asked) != "" {
		port, err := Take()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString(strconv.Itoa(port) + "\n")
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	own, err := Take()
	if err != nil {
		t.Fatal(err)
	}
	blocksSeen := map[int]bool{(own - lowest) / size: true}
	for range 3 {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestProcessesDoNotShare$")
		cmd.Env = append(os.Environ(), asked+"=1")
		stdin, err1 := cmd.StdinPipe()
		stdout, err2 := cmd.StdoutPipe()
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = stdin.Close(); _ = cmd.Wait() }()
		lines := bufio.NewScanner(stdout)
		lines.Scan()
		port, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatal(err)
		}
		if mine := (port - lowest) / size; blocksSeen[mine] {
			t.Errorf("two processes have block %d", mine)
		} else {
			blocksSeen[mine] = true
		}
	}
}

func TestAddress(t *testing.T) {
	addr, err := Address()
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}
