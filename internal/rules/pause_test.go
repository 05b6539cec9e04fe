package rules_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/rules"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// followerProcess names the broker of a follower that is to be paused: the test
// binary runs one when this is set.
const followerProcess = "PARLEY_TEST_FOLLOWER"

func TestMain(m *testing.M) {
	if addr := os.Getenv(followerProcess); addr != "" {
		follow(addr)
	}
	embeddedtest.Main(m)
}

// follow prints each change, a line each.
func follow(addr string) {
	c, err := eventlog.New(eventlog.Config{Brokers: []string{addr}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	f := rules.NewFollower(rules.FollowConfig{Kafka: c, Table: rules.NewTable(), Changed: func(c rules.Change) { fmt.Println(c.Kind, c.Name) }})
	go func() {
		<-f.CaughtUp()
		fmt.Println("caught up")
	}()
	f.Run(context.Background())
}

// A process that was paused knows at once, when it runs again, who was barred
// meanwhile: it waits for no time-out.
func TestPausedFollowerCatchesUpAtOnce(t *testing.T) {
	w := newWorld(t, true)
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), followerProcess+"="+w.addr)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		_ = child.Process.Kill()
		for range lines { // until it has ended
		}
		_ = child.Wait()
	})
	expect := func(want string) {
		t.Helper()
		select {
		case got, running := <-lines:
			if got != want {
				t.Fatalf("it prints %q (running: %v), want %q", got, running, want)
			}
		case <-w.ctx.Done():
			t.Fatalf("it does not print %q", want)
		}
	}
	signal := func(s syscall.Signal) {
		t.Helper()
		if err := child.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	expect("caught up")
	signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(child.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil || !status.Stopped() {
		t.Fatalf("it is not paused: %v, %v", status, err)
	}
	w.write(bar("ada", ""))
	time.Sleep(5 * time.Second)
	woken := time.Now()
	signal(syscall.SIGCONT)
	expect("barred ada")
	took := time.Since(woken)
	t.Logf("known %v after it was woken", took)
	if took > 4*time.Second { // on a machine that does nothing else it takes milliseconds
		t.Errorf("known %v after it was woken", took)
	}
}
