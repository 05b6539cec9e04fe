package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

const bodySize = 128

func (b *bench) enter(user, channel string) (*raw, error) {
	r, err := dialRaw(b.addr, user)
	if err != nil {
		return nil, err
	}
	_, err = r.call(join(channel, 0))
	return r, err
}

func join(channel string, limit int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"join","params":{"channel":%q,"limit":%d}}`, channel, limit)
}

func leave(channel string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"leave","params":{"channel":%q}}`, channel)
}

// latency: one channel, one sender, one receiver, 100 messages a second.
func (b *bench) latency() error {
	const rate, seconds, warm = 100, 15, 5
	sender, err := b.enter("sender", "quiet")
	if err != nil {
		return err
	}
	defer sender.conn.Close()
	receiver, err := b.enter("receiver", "quiet")
	if err != nil {
		return err
	}
	defer receiver.conn.Close()
	go drain(sender)
	go pace(rate, rate*seconds, func() bool { return sender.send(stampedChat("quiet", bodySize)) == nil })
	ages, err := jsonRPC.receive(receiver, rate*seconds)
	if err != nil {
		return err
	}
	ages = ages[rate*warm:]
	b.row("delivery socket to socket, 100 messages/s", "p50 %.2f ms, p99 %.2f ms (goal ≤ 5, ≤ 25)", ms(quantile(ages, .5)), ms(quantile(ages, .99)))
	return nil
}

// joins: a channel with a long history, joined when nobody is there.
func (b *bench) joins(messages int) error {
	began := time.Now()
	if err := b.fill("archive", messages); err != nil {
		return err
	}
	b.row(fmt.Sprintf("%d messages into one channel, acknowledged", messages), "%.0f messages/s", float64(messages)/time.Since(began).Seconds())
	time.Sleep(5 * time.Second) // for the projection to catch up and merge
	const rounds = 60
	var took []time.Duration
	for i := range rounds {
		r, err := dialRaw(b.addr, fmt.Sprint("joiner", i))
		if err != nil {
			return err
		}
		begin := time.Now()
		answer, err := r.call(join("archive", 50))
		if err != nil {
			return err
		}
		took = append(took, time.Since(begin))
		if n := bytes.Count(answer, []byte(`"seq":`)); n != 51 || bytes.Contains(answer, []byte(`"degraded"`)) {
			return fmt.Errorf("a join's result holds %d messages: %.300s", n-1, answer)
		}
		if _, err := r.call(leave("archive")); err != nil {
			return err
		}
		_ = r.conn.Close()
	}
	b.row(fmt.Sprintf("join with 50 messages of a channel of %d, nobody else there", messages), "p50 %.1f ms, p99 %.1f ms (goal p50 ≤ 20)", ms(quantile(took, .5)), ms(quantile(took, .99)))
	return nil
}

// fill writes messages over a few connections, each with many under way.
func (b *bench) fill(channel string, messages int) error {
	const writers, window = 4, 500
	errs := make(chan error, writers)
	for i := range writers {
		go func() { errs <- b.fillOne(fmt.Sprint("filler", i), channel, messages/writers, window) }()
	}
	for range writers {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) fillOne(user, channel string, messages, window int) error {
	r, err := b.enter(user, channel)
	if err != nil {
		return err
	}
	defer r.conn.Close()
	slots := make(chan struct{}, window)
	go func() {
		for range messages {
			slots <- struct{}{}
			if r.send(stampedChat(channel, bodySize)) != nil {
				return
			}
		}
	}()
	for acked := 0; acked < messages; {
		frame, err := r.next()
		if err != nil {
			return err
		}
		if bytes.Contains(frame, []byte(`"id":2,`)) {
			if bytes.Contains(frame, []byte(`"error":`)) {
				return fmt.Errorf("a chat was refused: %s", frame)
			}
			acked++
			<-slots
		}
	}
	_, err = r.call(leave(channel))
	return err
}

func drain(r *raw) {
	for {
		if _, err := r.next(); err != nil {
			return
		}
	}
}

// pace calls f n times at that rate a second, until f returns false.
func pace(rate, n int, f func() bool) {
	begin := time.Now()
	for i := range n {
		time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Second / time.Duration(rate))))
		if !f() {
			return
		}
	}
}

// cpu is what the server and its children have used; 0 where that cannot be
// read.
func (b *bench) cpu() time.Duration { return familyCPU(b.pid) }

// familyCPU is what a process and its children have used.
func familyCPU(pid int) time.Duration {
	total := processCPU(pid)
	for _, child := range children(pid) {
		total += processCPU(child)
	}
	return total
}

func processCPU(pid int) time.Duration { return statCPU(pid, 11) }

// endedCPU is what processes took that this one started and waited for.
func endedCPU() time.Duration { return statCPU(os.Getpid(), 13) }

// statCPU adds two fields of /proc/PID/stat, in hundredths of a second, of which
// the first is that many after the name.
func statCPU(pid, first int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.Atoi(f[first])
	system, _ := strconv.Atoi(f[first+1])
	return time.Duration(user+system) * 10 * time.Millisecond
}
