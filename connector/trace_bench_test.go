package connector

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/ws"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/tracing"
	"github.com/parley-chat/parley/schema"
)

// nowhere takes spans and forgets them.
type nowhere struct{}

func (nowhere) ExportSpans(context.Context, []sdk.ReadOnlySpan) error { return nil }
func (nowhere) Shutdown(context.Context) error                        { return nil }

// The way of one push from the log to a thousand members: with traces off, with
// a message that is not sampled, and with one that is.
func BenchmarkFanOutTraced(b *testing.B) {
	on := &Config{Base: roles.Base{Tracers: sdk.NewTracerProvider(sdk.WithBatcher(nowhere{}))}}
	sampled := newTracers(on).events.Send(tracing.Span{}, 0, 100).Headers()
	for _, members := range []int{1, 1000} {
		for _, c := range []struct {
			name    string
			tracers tracers
			headers []eventlog.Header
		}{
			{"off", tracers{}, nil}, {"unsampled", newTracers(on), nil}, {"sampled", newTracers(on), sampled},
		} {
			b.Run(fmt.Sprintf("members=%d/%s", members, c.name), func(b *testing.B) {
				inc := newBenchIncarnation(nil)
				inc.tracers = c.tracers
				benchmarkPush(b, inc, members, c.headers)
			})
		}
	}
}

func benchmarkPush(b *testing.B, inc *incarnation, members int, headers []eventlog.Header) {
	s, _ := crowd(b, inc, members)
	push := &schema.Push{Connector: inc.id, Time: 1, Updates: []*schema.Update{{Channel: "lobby", Kind: &schema.Update_Message{
		Message: &schema.Message{Id: "01J0000000000000000000000", User: "ada", Body: strings.Repeat("x", 100)},
	}}}}
	b.ReportAllocs()
	for b.Loop() {
		push.PrevOffset, push.Offset = push.Offset, push.Offset+1
		value, err := proto.Marshal(push)
		if err == nil {
			err = s.record(&eventlog.Record{Key: []byte(inc.id), Value: value, Offset: push.Offset, Headers: headers})
		}
		if err != nil {
			b.Fatal(err)
		}
		s.flush()
	}
}

// crowd is a stream with one channel of so many members, who take everything at
// once.
func crowd(tb testing.TB, inc *incarnation, members int) (*stream, *channel) {
	tb.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		tb.Fatal(err)
	}
	raw, err := null.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	ch := inc.channels.subscribe("lobby")
	tb.Cleanup(func() {
		inc.shared.Flushers.Await(time.Minute)
		null.Close()
	})
	for i := range members {
		conn := ws.New(nullLine{raw: raw}, ws.Options{Queue: 1 << 30, Flushers: inc.shared.Flushers})
		memberOf(ch, &session{inc: inc, user: fmt.Sprint(i), front: jsonrpc.Conn{Conn: conn}})
	}
	return &stream{inc: inc, seen: pushChain{}}, ch
}

// nullLine is a line that takes everything at once: /dev/null, for the system
// calls.
type nullLine struct {
	net.Conn
	raw syscall.RawConn
}

func (l nullLine) TryWrite(p []byte) (n int, err error) {
	if e := l.raw.Write(func(fd uintptr) bool { n, err = syscall.Write(int(fd), p); return true }); e != nil {
		return 0, e
	}
	return n, err
}

// A push costs one span at most, whatever the number of members, and none when
// it is not sampled.
func TestFanOutIsOneSpan(t *testing.T) {
	counted := &counter{}
	on := newTracers(&Config{Base: roles.Base{Tracers: sdk.NewTracerProvider(sdk.WithSyncer(counted))}})
	inc := newBenchIncarnation(nil)
	inc.tracers = on
	s, _ := crowd(t, inc, 1000)
	for offset, headers := range [][]eventlog.Header{nil, on.events.Send(tracing.Span{}, 0, 100).Headers(), nil} {
		push := &schema.Push{Connector: inc.id, Offset: int64(offset) + 1, PrevOffset: int64(offset), Updates: []*schema.Update{{
			Channel: "lobby", Kind: &schema.Update_Message{Message: &schema.Message{Id: "i", User: "u", Body: "b"}},
		}}}
		value, err := proto.Marshal(push)
		if err == nil {
			err = s.record(&eventlog.Record{Key: []byte(inc.id), Value: value, Headers: headers})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if counted.n != 0 {
		t.Error("the fan-out has ended before its batch was sent")
	}
	s.flush()
	if counted.n != 1 {
		t.Errorf("%d spans for one sampled push of three", counted.n)
	}
}

type counter struct{ n int }

func (c *counter) ExportSpans(_ context.Context, spans []sdk.ReadOnlySpan) error {
	c.n += len(spans)
	return nil
}
func (c *counter) Shutdown(context.Context) error { return nil }
