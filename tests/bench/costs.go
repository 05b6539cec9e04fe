package main

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/parley-chat/parley/internal/testing/kraft"
)

// costs is the part that measures what each role and server takes, on fleets of its own.
const costs = "costs"

// cost is what the processes of a role took.
type cost struct {
	cpu           time.Duration
	read, written float64 // bytes, by these system calls: of sockets and files together
	calls         float64
	requests      float64 // that write to the broker
}

// costRoles are in the order of a message's way.
var costRoles = []string{"connector", "broker", "chatworker", "projector", "clickhouse"}

// costSeconds is for how long a load is measured.
const costSeconds = 10

// costLoad is a load of so many messages a second, or less where the machine is too slow.
type costLoad struct {
	channels, each, rate int
}

// measureCosts prints a table: of both brokers, of Apache Kafka where it is there.
func measureCosts(ctx context.Context, binary string) error {
	fmt.Println("| broker | connectors | channels × members, messages/s | of | CPU-seconds per million messages | per million deliveries | cores at rest | bytes read a message | written | system calls that read or write | requests that write to the broker |")
	fmt.Println("|---|---|---|---|---|---|---|---|---|---|---|")
	small, large := costLoad{rooms, roomMembers, 1_000}, costLoad{1, 1_000, 80}
	for _, apache := range []bool{false, true} {
		if err := kraft.Available(); apache && err != nil {
			fmt.Fprintln(os.Stderr, err)
			break
		}
		if err := costsOn(ctx, binary, apache, 1, small, large); err != nil {
			return err
		}
		if err := costsOn(ctx, binary, apache, 4, small); err != nil {
			return err
		}
	}
	return nil
}

func costsOn(ctx context.Context, binary string, apache bool, connectors int, loads ...costLoad) error {
	return withFleet(ctx, &fleet{binary: binary, apache: apache}, connectors, func(f *fleet) error {
		for _, l := range loads {
			if err := f.costsOf(ctx, l); err != nil {
				return err
			}
		}
		return nil
	})
}

// costsOf prints what a load costs. It is carried twice before it counts: Java compiles its
// code meanwhile.
func (f *fleet) costsOf(ctx context.Context, l costLoad) error {
	h, err := openHalls(ctx, fmt.Sprint("cost", l.each), f.addrs, l.channels, l.each, growSessions, f.cpu)
	if err != nil {
		return err
	}
	defer h.close()
	h.seconds = costSeconds
	rate := l.rate
	for range 2 {
		if f := h.at(ctx, rate); !f.complete && rate > l.rate/4 {
			rate /= 2
		}
		h.settle(ctx)
	}
	resting, begin := f.taken(ctx), time.Now()
	pause(ctx, costSeconds/2*time.Second)
	before, rested := f.taken(ctx), time.Since(begin)
	if r := h.at(ctx, rate); !r.complete {
		return fmt.Errorf("messages are missing: %s", r)
	}
	pause(ctx, 2*time.Second) // until ClickHouse has all of it
	after := f.taken(ctx)
	broker := "embedded"
	if f.apache {
		broker = "Apache Kafka"
	}
	messages := float64(rate * h.seconds)
	for _, role := range costRoles {
		c, idle := after[role].less(before[role]), before[role].less(resting[role])
		cpu := c.cpu.Seconds() / messages * 1e6
		fmt.Printf("| %s | %d | %d × %d, %d | %s | %.0f | %.2f | %.3f | %.0f | %.0f | %.1f | %.2f |\n", broker, len(f.addrs), l.channels, l.each, rate, role,
			cpu, cpu/float64(l.each), idle.cpu.Seconds()/rested.Seconds(), c.read/messages, c.written/messages, c.calls/messages, c.requests/messages)
	}
	return ctx.Err()
}

func (c cost) less(o cost) cost {
	return cost{c.cpu - o.cpu, c.read - o.read, c.written - o.written, c.calls - o.calls, c.requests - o.requests}
}

// taken is what each role has taken so far.
func (f *fleet) taken(ctx context.Context) map[string]cost {
	all := map[string]cost{}
	for _, role := range costRoles {
		var c cost
		for _, pid := range f.pids(role) {
			for _, one := range append(children(pid), pid) {
				c.cpu += processCPU(one)
				c.addCalls(one)
			}
		}
		for _, p := range f.processes {
			if p.role == role {
				c.requests += total(fetch(ctx, "http://"+p.admin+"/metrics"), "parley_kafka_produce_duration_seconds_count")
			}
		}
		all[role] = c
	}
	return all
}

// addCalls adds what a process has read and written by system calls.
func (c *cost) addCalls(pid int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid)) // it may have ended
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		v, _ := strconv.ParseFloat(value, 64) // of digits
		switch name {
		case "rchar":
			c.read += v
		case "wchar":
			c.written += v
		case "syscr", "syscw":
			c.calls += v
		}
	}
}
