package api

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/parley-chat/parley/schema/rpc"
)

// Bodies that are as long as they may be are taken up to the bound, and the rest is told
// to come back.
//
//parley:bound requests of backends
func TestBodiesAreBounded(t *testing.T) {
	var begun atomic.Int64
	free := make(chan struct{})
	server, at, keys := startServer(t, hostFunc(func(_ context.Context, _ *Caller, _ rpc.Request, answer Answer) {
		begun.Add(1)
		<-free
		answer(func(b []byte) []byte { return append(b, "{}"...) }, nil)
	}), "shop")
	const most, more = bodies / MaxRequest, 6
	request := `{"jsonrpc":"2.0","id":1,"method":"x"}`
	body := strings.Repeat(" ", MaxRequest-len(request)) + request
	statuses := make(chan int, most+more)
	for range most + more {
		go func() {
			status, _, _ := post(t.Context(), at, keys[0], body)
			statuses <- status
		}()
	}
	for i := range more {
		if status := <-statuses; status != http.StatusServiceUnavailable {
			t.Errorf("answer %d while all room is taken is %d", i, status)
		}
	}
	eventually(t, "all that are taken have begun", func() bool { return begun.Load() == most })
	close(free)
	for range most {
		if status := <-statuses; status != http.StatusOK {
			t.Errorf("a request that was taken is answered %d", status)
		}
	}
	if used := server.bodies.Used(); used != 0 {
		t.Errorf("%d bytes count when all is answered", used)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
}
