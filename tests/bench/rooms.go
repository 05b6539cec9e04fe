package main

import (
	"fmt"
	"os"
	"sync"
	"time"
)

// side is a server that is measured, and how its clients come in. Every side gets the
// same load from the same code.
type side struct {
	name  string
	wire  wire
	pid   int                                             // of its main process
	enter func(local, user, channel string) (*raw, error) // from an address of this machine; "": any
}

// cpu is what all processes of the server have used.
func (s *side) cpu() time.Duration { return familyCPU(s.pid) }

// figures are what a load brought.
type figures struct {
	p50, p99 time.Duration
	cpu      float64 // of the server, seconds per million deliveries
	main     float64 // of its main process, of that
	own      float64 // of the load generator
}

func (f figures) String() string {
	return fmt.Sprintf("p50 %.2f ms, p99 %.2f ms; %.1f CPU-seconds per million deliveries, the load generator %.1f more", ms(f.p50), ms(f.p99), f.cpu, f.own)
}

const (
	rooms        = 100
	roomMembers  = 10
	roomPatience = 30 * time.Second // for what is late
)

// own is Parley as a side.
func (b *bench) own() *side {
	return &side{name: "Parley", wire: jsonRPC, pid: b.pid, enter: func(local, user, channel string) (*raw, error) {
		r, err := dialFrom(local, b.addr)
		if err != nil {
			return nil, err
		}
		if _, err = r.call(hello(user)); err == nil {
			_, err = r.call(join(channel, 0))
		}
		if err != nil {
			_ = r.conn.Close()
		}
		return r, err
	}}
}

// rooms: 100 channels of 10 members, 10 messages a second in each.
func (b *bench) rooms() error {
	f, err := b.own().inRooms(10, 10)
	if err != nil {
		return err
	}
	b.row("rooms: 100 channels × 10 members, 10 messages/s each", "%s", f)
	return nil
}

// inRooms has one member of each room publish that many messages a second. The first
// fifth is not timed.
func (s *side) inRooms(rate, seconds int) (f figures, err error) {
	senders := make([]*raw, rooms)
	ages, errs := make([][]time.Duration, rooms*roomMembers), make([]error, rooms*roomMembers)
	var receivers sync.WaitGroup
	for i := range rooms * roomMembers {
		r, err := s.enter("", fmt.Sprintf("r%d-%d", i/roomMembers, i%roomMembers), roomOf(i))
		if err != nil {
			return f, err
		}
		defer r.conn.Close()
		_ = r.conn.SetReadDeadline(time.Now().Add(time.Duration(seconds)*time.Second + roomPatience))
		if i%roomMembers == 0 {
			senders[i/roomMembers] = r
		}
		receivers.Go(func() { ages[i], errs[i] = s.wire.receive(r, rate*seconds) })
	}
	used, main, own := s.cpu(), processCPU(s.pid), processCPU(os.Getpid())
	next := 0
	pace(rooms*rate, rooms*rate*seconds, func() bool {
		i := next % rooms
		next++
		return s.wire.chat(senders[i], roomOf(i*roomMembers)) == nil
	})
	receivers.Wait()
	used, main, own = s.cpu()-used, processCPU(s.pid)-main, processCPU(os.Getpid())-own
	var all []time.Duration
	for i, a := range ages {
		if errs[i] != nil {
			return f, fmt.Errorf("%s: a member got %d of %d messages: %w", s.name, len(a), rate*seconds, errs[i])
		}
		all = append(all, a[len(a)/5:]...)
	}
	million := float64(rooms*roomMembers*rate*seconds) / 1e6
	return figures{quantile(all, .5), quantile(all, .99), used.Seconds() / million, main.Seconds() / million, own.Seconds() / million}, nil
}

func roomOf(member int) string { return fmt.Sprint("room", member/roomMembers) }
