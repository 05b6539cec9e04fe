package main

import (
	"context"
	"errors"
	"fmt"
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

// floor is the part that measures what of a message's cost in rooms no code around it can
// save: the same system calls and the same requests with nothing else.
const floor = "floor"

const (
	floorSeconds = 10
	// floorFrame and floorRecord are the bytes of a push and of an event with a body of bodySize.
	floorFrame  = 330
	floorRecord = 260
)

// floor prints what a message in rooms costs, and what each part of it costs alone.
func (b *bench) floor(ctx context.Context) error {
	if runtime.GOOS != "linux" {
		return errors.New("what a thread takes is known on Linux only: measure there")
	}
	for _, each := range []int{10, 50} {
		if err := b.floorAt(ctx, each); err != nil {
			return err
		}
	}
	return nil
}

// floorAt has that many messages a second in each room.
func (b *bench) floorAt(ctx context.Context, each int) error {
	rate := rooms * each
	var all, engine, sockets, log []float64
	perMessage := func(took time.Duration) float64 { return float64(took.Microseconds()) / float64(rate*floorSeconds) }
	for range peerTurns {
		f, err := b.own().inRooms(each, floorSeconds)
		if err != nil {
			return err
		}
		all, engine = append(all, f.cpu*roomMembers), append(engine, (f.cpu-f.main)*roomMembers)
		took, err := socketsAlone(rate)
		if err != nil {
			return err
		}
		sockets = append(sockets, perMessage(took))
		if took, err = logAlone(ctx, rate); err != nil {
			return err
		}
		log = append(log, perMessage(took))
	}
	for _, part := range []struct {
		what string
		took float64
	}{
		{"rooms: all of it", median(all)},
		{"of that ClickHouse, a child of the process", median(engine)},
		{fmt.Sprintf("alone: a frame read from a socket, and %d written", roomMembers+1), median(sockets)},
		{"alone: two records appended to the log of an embedded broker, and read from it", median(log)},
		{"the floor: these three", median(engine) + median(sockets) + median(log)},
	} {
		b.row(fmt.Sprintf("%d messages/s, %s", rate, part.what), "%.0f CPU-µs a message (median of %d turns)", part.took, peerTurns)
	}
	return nil
}

// socketsAlone is what a thread takes that is woken by a frame, and writes one to each
// member of a room and two to the one who sent it: without WebSockets and without a
// scheduler, over as many sockets as the rooms have.
func socketsAlone(rate int) (took time.Duration, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	server, clients := make([]*os.File, rooms*roomMembers), make([]net.Conn, rooms*roomMembers)
	var work sync.WaitGroup
	defer work.Wait()
	for i := range server {
		if server[i], clients[i], err = connected(ln); err != nil {
			return 0, err
		}
		defer server[i].Close()
		defer clients[i].Close()
		work.Go(func() { _, _ = clients[i].(*net.TCPConn).WriteTo(discard{}) })
	}
	done := make(chan error, 1)
	go func() { done <- answerFrames(server, &took) }()
	frame := make([]byte, floorFrame)
	pace(rate, rate*floorSeconds, func() bool { _, err = clients[0].Write(frame); return err == nil })
	err = errors.Join(err, clients[0].(*net.TCPConn).CloseWrite(), <-done)
	return took, err
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
// sockets of the next room.
func answerFrames(sockets []*os.File, took *time.Duration) error {
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
		if n, err := syscall.Read(descriptors[0], frame); n <= 0 || err != nil {
			break
		}
		members := descriptors[i%rooms*roomMembers:][:roomMembers]
		for _, to := range append(members[:roomMembers:roomMembers], members[0]) {
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
// read each in the one place that reads it, to append it to another topic, and to read it there.
func logAlone(ctx context.Context, rate int) (took time.Duration, err error) {
	dir, err := os.MkdirTemp("", "parley-floor")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	broker, err := embedded.StartBroker(ctx, embedded.BrokerConfig{Listen: "127.0.0.1:0", DataDir: dir, Open: true})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, broker.Stop(context.WithoutCancel(ctx))) }()
	client, err := eventlog.New(eventlog.Config{Brokers: []string{broker.Addr()}, Dial: broker.Dial})
	if err != nil {
		return 0, err
	}
	defer client.Close()
	first, second := admin.Topic{Name: "floor.first", Partitions: schema.LaptopPartitions, ReplicationFactor: 1}, admin.Topic{Name: "floor.second", Partitions: 1, ReplicationFactor: 1}
	if err := admin.EnsureTopics(ctx, client, []admin.Topic{first, second}); err != nil {
		return 0, err
	}
	in, out := client.NewProducer(eventlog.ProducerConfig{Topic: first.Name}), client.NewProducer(eventlog.ProducerConfig{Topic: second.Name})
	defer in.Close()
	defer out.Close()
	reading, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	for i := range first.Partitions {
		work.Go(func() {
			readAlone(reading, client, first.Name, i, func(r eventlog.Record) { _ = out.Produce(0, r, nil) })
		})
	}
	arrived := make(chan struct{}, rate*floorSeconds)
	work.Go(func() {
		readAlone(reading, client, second.Name, 0, func(eventlog.Record) { arrived <- struct{}{} })
	})
	began, next := processCPU(os.Getpid()), 0
	pace(rate, rate*floorSeconds, func() bool {
		next++
		return in.Produce(next%first.Partitions, eventlog.Record{Value: make([]byte, floorRecord)}, nil) == nil && ctx.Err() == nil
	})
	for range rate * floorSeconds {
		select {
		case <-arrived:
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
	return processCPU(os.Getpid()) - began, nil
}

// readAlone follows a partition until ctx ends.
func readAlone(ctx context.Context, c *eventlog.Client, topic string, partition int, each func(eventlog.Record)) {
	r := c.NewReader(eventlog.ReaderConfig{Topic: topic, Partition: partition, Own: true})
	defer r.Close()
	for {
		batch, err := r.Next(ctx)
		if err != nil {
			return
		}
		for _, record := range batch.Records {
			each(record)
		}
	}
}
