package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/eventlog/admin"
	"github.com/parley-chat/parley/schema"
)

// floor is the part that measures what of a message's cost and time no code around it can
// save, in rooms and for many members: the same system calls and the same requests with
// nothing else.
const floor = "floor"

const (
	floorSeconds = 10
	// floorFrame and floorRecord are the bytes of a push and of an event with a body of bodySize.
	floorFrame  = 330
	floorRecord = 260
	hallRate    = 80 // messages a second to the members of one channel
)

// alone is what a part of the floor takes by itself, turn after turn.
type alone struct{ cpu, p50, p99 []float64 }

// took takes note of a turn: CPU-µs, and how old what arrived was.
func (a *alone) took(us float64, p50, p99 time.Duration) {
	a.cpu, a.p50, a.p99 = append(a.cpu, us), append(a.p50, ms(p50)), append(a.p99, ms(p99))
}

// saw is took, of the ages themselves.
func (a *alone) saw(us float64, ages []time.Duration) {
	a.took(us, quantile(ages, .5), quantile(ages, .99))
}

func (a *alone) String() string {
	return fmt.Sprintf("%.1f CPU-µs, p50 %.2f ms, p99 %.2f ms (medians of %d turns)", median(a.cpu), median(a.p50), median(a.p99), peerTurns)
}

// floor prints what a message in rooms costs, and a delivery to many, and what each part
// of it costs alone.
func (b *bench) floor(ctx context.Context, members int) error {
	if runtime.GOOS != "linux" {
		return errors.New("what a thread takes is known on Linux only: measure there")
	}
	for _, each := range []int{10, 50} {
		if err := b.floorOfRooms(ctx, each); err != nil {
			return err
		}
	}
	return b.floorOfHall(ctx, members)
}

// floorOfRooms has that many messages a second in each room.
func (b *bench) floorOfRooms(ctx context.Context, each int) error {
	rate := rooms * each
	var all, sockets, log alone
	var engine []float64
	perMessage := func(took time.Duration) float64 { return float64(took.Microseconds()) / float64(rate*floorSeconds) }
	for range peerTurns {
		f, err := b.own().inRooms(each, floorSeconds)
		if err != nil {
			return err
		}
		all.took(f.cpu*roomMembers, f.p50, f.p99)
		engine = append(engine, (f.cpu-f.main)*roomMembers)
		took, ages, err := socketsAlone(ctx, rooms, roomMembers, rate)
		if err != nil {
			return err
		}
		sockets.saw(perMessage(took), ages)
		if took, ages, err = logAlone(ctx, rate); err != nil {
			return err
		}
		log.saw(perMessage(took), ages)
	}
	what := fmt.Sprintf("%d messages/s, ", rate)
	b.row(what+"rooms: all of it, a message", "%s", &all)
	b.row(what+"of that ClickHouse, a child of the process", "%.1f CPU-µs", median(engine))
	b.row(what+fmt.Sprintf("alone: a frame read from a socket, and %d written", roomMembers+1), "%s", &sockets)
	b.row(what+"alone: two records appended to the log of an embedded broker, and read from it", "%s", &log)
	b.row(what+"the floor: these three", "%.1f CPU-µs, p50 %.2f ms of the last two", median(engine)+median(sockets.cpu)+median(log.cpu), median(sockets.p50)+median(log.p50))
	return nil
}

// floorOfHall has all members of one channel receive its messages.
func (b *bench) floorOfHall(ctx context.Context, members int) error {
	var all, sockets alone
	for range peerTurns {
		f, err := b.own().inHall(ctx, members, hallRate)
		if err != nil {
			return err
		}
		all.took(f.cpu, f.p50, f.p99)
		took, ages, err := socketsAlone(ctx, 1, members, hallRate)
		if err != nil {
			return err
		}
		sockets.saw(float64(took.Microseconds())/float64(hallRate*floorSeconds*members), ages)
	}
	what := fmt.Sprintf("%d members at %d messages/s, ", members, hallRate)
	b.row(what+"a delivery", "%s", &all)
	b.row(what+"alone: a frame written", "%s", &sockets)
	return nil
}

// socketsAlone is what a thread takes that is woken by a frame, and writes one to each
// member of a channel and two to the one who sent it: without WebSockets and without a
// scheduler, over as many sockets as all channels have.
func socketsAlone(ctx context.Context, channels, members, rate int) (took time.Duration, ages []time.Duration, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, nil, err
	}
	defer ln.Close()
	server, clients := make([]*os.File, channels*members), make([]net.Conn, channels*members)
	arrived := &aged{}
	var work sync.WaitGroup
	defer work.Wait()
	for i := range server {
		if server[i], clients[i], err = connected(ln); err != nil {
			return 0, nil, err
		}
		defer server[i].Close()
		defer clients[i].Close()
		var to io.Writer = discard{}
		if i%50 == 0 {
			to = arrived
		}
		work.Go(func() { _, _ = clients[i].(*net.TCPConn).WriteTo(to) })
	}
	done := make(chan error, 1)
	go func() {
		done <- answerFrames(server, members, &took)
		_ = server[0].Close() // or who still writes to it waits for ever
	}()
	pace(rate, rate*floorSeconds, func() bool {
		_, err = clients[0].Write([]byte(stamped(floorFrame)))
		return err == nil && ctx.Err() == nil
	})
	err = errors.Join(err, ctx.Err(), clients[0].(*net.TCPConn).CloseWrite(), <-done)
	return took, arrived.all(), err
}

// aged is how old what arrived was, of any number of connections.
type aged struct {
	mu   sync.Mutex
	ages []time.Duration
}

// Write takes frames that begin with a stamp: of those that are read at once, the first
// counts.
func (a *aged) Write(p []byte) (int, error) {
	if age, ok := ageOf(p); ok {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.ages = append(a.ages, age)
	}
	return len(p), nil
}

func (a *aged) all() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ages
}

// connected is both ends of a connection, of which the runtime does not know the first.
func connected(ln net.Listener) (server *os.File, client net.Conn, err error) {
	if client, err = net.Dial("tcp", ln.Addr().String()); err != nil {
		return nil, nil, err
	}
	accepted, err := ln.Accept()
	if err == nil {
		server, err = accepted.(*net.TCPConn).File()
		_ = accepted.Close() // the file is one of its own
	}
	if err != nil {
		_ = client.Close()
	}
	return server, client, err
}

// discard reads what comes, once for each write as a client does, where io.Discard would
// leave that to the kernel.
type discard struct{}

// Write takes all of it.
func (discard) Write(p []byte) (int, error) { return len(p), nil }

// ofThread asks for what the calling thread has used, as of getrusage(2) of Linux.
const ofThread = 1

// answerFrames reads frames from the first socket until it ends, and writes each to the
// sockets of the next channel, which has as many as each says.
func answerFrames(sockets []*os.File, each int, took *time.Duration) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	descriptors := make([]int, len(sockets))
	for i, s := range sockets {
		descriptors[i] = int(s.Fd())
	}
	var before, after syscall.Rusage
	if err := syscall.Getrusage(ofThread, &before); err != nil {
		return err
	}
	frame := make([]byte, floorFrame)
	for i := 0; ; i++ {
		if n, err := syscall.Read(descriptors[0], frame); err != nil {
			return err
		} else if n == 0 {
			break
		}
		members := descriptors[i%(len(descriptors)/each)*each:][:each]
		for _, to := range append(members[:each:each], members[0]) {
			if _, err := syscall.Write(to, frame); err != nil {
				return err
			}
		}
	}
	err := syscall.Getrusage(ofThread, &after)
	*took = time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	return err
}

// logAlone is what this process takes to append records to an embedded broker in it, to
// read each in the one place that reads it, to append it to another topic, and to read it
// there, and how old they are by then.
func logAlone(ctx context.Context, rate int) (took time.Duration, ages []time.Duration, err error) {
	dir, err := os.MkdirTemp("", "parley-floor")
	if err != nil {
		return 0, nil, err
	}
	defer os.RemoveAll(dir)
	broker, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir, Open: true})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, broker.Stop(context.WithoutCancel(ctx))) }()
	client, err := eventlog.New(eventlog.Config{Brokers: []string{broker.Addr()}, Dial: broker.Dial})
	if err != nil {
		return 0, nil, err
	}
	defer client.Close()
	return throughLog(ctx, client, rate)
}

func throughLog(ctx context.Context, client *eventlog.Client, rate int) (took time.Duration, ages []time.Duration, err error) {
	first, second := admin.Topic{Name: "floor.first", Partitions: schema.LaptopPartitions, ReplicationFactor: 1}, admin.Topic{Name: "floor.second", Partitions: 1, ReplicationFactor: 1}
	if err := admin.EnsureTopics(ctx, client, []admin.Topic{first, second}); err != nil {
		return 0, nil, err
	}
	in, out := client.NewProducer(eventlog.ProducerConfig{Topic: first.Name}), client.NewProducer(eventlog.ProducerConfig{Topic: second.Name})
	defer in.Close()
	defer out.Close()
	reading, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	// Of a record comes that it has arrived, or that it failed, or both; of a reader that it failed.
	arrived, ended := &aged{}, make(chan error, 2*rate*floorSeconds+first.Partitions+1)
	failed := func(_ int64, err error) {
		if err != nil {
			ended <- err
		}
	}
	for i := range first.Partitions {
		work.Go(func() {
			failed(0, readAlone(reading, client, first.Name, i, func(r eventlog.Record) error { return out.Produce(0, r, failed) }))
		})
	}
	work.Go(func() {
		failed(0, readAlone(reading, client, second.Name, 0, func(r eventlog.Record) error {
			_, err := arrived.Write(r.Value)
			ended <- err
			return err
		}))
	})
	began, next := processCPU(os.Getpid()), 0
	pace(rate, rate*floorSeconds, func() bool {
		next++
		err = in.Produce(next%first.Partitions, eventlog.Record{Value: []byte(stamped(floorRecord))}, failed)
		return err == nil && ctx.Err() == nil
	})
	for range rate * floorSeconds {
		if err != nil {
			return 0, nil, err
		}
		select {
		case err = <-ended:
		case <-ctx.Done():
			return 0, nil, ctx.Err()
		}
	}
	return processCPU(os.Getpid()) - began, arrived.all(), err
}

// readAlone follows a partition until ctx ends, where it returns nil, or a record fails.
func readAlone(ctx context.Context, c *eventlog.Client, topic string, partition int, each func(eventlog.Record) error) error {
	r := c.NewReader(eventlog.ReaderConfig{Topic: topic, Partition: partition, Own: true})
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for i := 0; err == nil && i < len(batch.Records); i++ {
			err = each(batch.Records[i])
		}
		if err != nil {
			return err
		}
	}
}
