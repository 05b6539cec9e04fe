package embedded_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
)

func TestPortInUseNamesItsOwner(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	_, err = embedded.Listen(ctx, other.Addr().String(), "--listen")
	owner := "another process"
	if runtime.GOOS == "linux" {
		owner = fmt.Sprintf("process %d (", os.Getpid())
	}
	wantSentence(t, err, other.Addr().String(), owner)
}

func TestPortIsWaitedFor(t *testing.T) {
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { other.Close() })
	ln, err := embedded.Listen(within(t), other.Addr().String(), "--listen")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
}

func TestAddressThatIsNotOurs(t *testing.T) {
	_, err := embedded.Listen(within(t), "192.0.2.1:80", "--listen")
	wantSentence(t, err, "cannot listen at 192.0.2.1:80")
}
