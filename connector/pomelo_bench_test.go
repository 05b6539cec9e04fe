package connector

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/parley-chat/parley/connector/front"
	"github.com/parley-chat/parley/connector/jsonrpc"
	"github.com/parley-chat/parley/connector/pomelo"
	"github.com/parley-chat/parley/connector/pomelo/chat"
	"github.com/parley-chat/parley/connector/ws"
)

// What clients of pomelo cost: messages go to the members of two channels in
// turns, who speak pomelo in one, and JSON-RPC in the other.
func BenchmarkPomeloFanOut(b *testing.B) {
	for _, members := range []int{1, 10, 1000} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			documented, guests := newFanning(b, members, nil), newFanning(b, 0, nil)
			null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
			if err != nil {
				b.Fatal(err)
			}
			defer null.Close()
			raw, err := null.SyscallConn()
			if err != nil {
				b.Fatal(err)
			}
			inc := guests.stream.inc
			options := &chat.Options{Settings: chat.Settings{Routes: chat.DefaultRoutes()}, Memory: chat.NewMemory(), Rooms: rooms{inc}}
			guest := func(c *ws.Conn) front.Front {
				return chat.New(pomelo.New(c, ws.Arrival{}, 64<<10), options)
			}
			for i := range members {
				conn := ws.New(nullLine{raw: raw}, ws.Options{Queue: 1 << 30, Flushers: inc.shared.Flushers})
				memberOf(guests.channel, &session{inc: inc, user: fmt.Sprint(i), front: guest(conn)})
			}
			if d := (jsonrpc.Dialect{}); guests.channel.Members() != members || guest(ws.New(nullLine{raw: raw}, ws.Options{})).Dialect() == d {
				b.Fatal("they are not the members that they should be")
			}
			turn := max(1, 1000/members)
			var ratios []float64
			for b.Loop() {
				d, g := documented.send(turn), guests.send(turn)
				ratios = append(ratios, float64(g)/float64(d))
			}
			slices.Sort(ratios)
			b.ReportMetric(ratios[len(ratios)/2], "pomelo/jsonrpc")
			b.ReportMetric(0, "ns/op")
		})
	}
}
