package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

const (
	reactingMembers = 1000
	reactingChats   = 50 // messages a second
	reactingRate    = 1000
	reactingTurn    = 6 * time.Second
)

// reacting is a channel in which everybody reacts to the same message.
type reacting struct {
	all   []*raw
	mu    sync.Mutex
	ages  []time.Duration // of chats since the turn began
	bytes atomic.Int64    // of the pushes reacted, to all
	fault atomic.Value    // a frame that refuses something
	next  int
}

// reactions: a thousand reactions a second to one message, beside chats of the same
// channel, which are alone first; in pairs of turns.
func (b *bench) reactions() error {
	const pairs = 3
	x := &reacting{}
	defer func() {
		for _, r := range x.all {
			_ = r.conn.Close()
		}
	}()
	for i := range reactingMembers {
		r, err := b.enter(fmt.Sprint("fan", i), "stage")
		if err != nil {
			return err
		}
		x.all = append(x.all, r)
	}
	target, err := say(x.all[0], "stage")
	if err != nil {
		return err
	}
	for i, r := range x.all {
		go x.receive(r, i%20 == 0)
	}
	time.Sleep(2 * time.Second) // until everybody has received everybody's join
	for range pairs {
		alone, _ := x.turn(target, 0)
		beside, each := x.turn(target, reactingRate)
		b.row(fmt.Sprintf("%d messages/s to %d members, beside %d reactions/s to one message", reactingChats, reactingMembers, reactingRate),
			"p50 %.1f ms, p99 %.1f ms; without %.1f and %.1f: p99 %.2f times (goal ≤ 1.5); %.2f KiB/s of reactions to a member (goal ≤ 4)",
			ms(quantile(beside, .5)), ms(quantile(beside, .99)), ms(quantile(alone, .5)), ms(quantile(alone, .99)),
			float64(quantile(beside, .99))/float64(quantile(alone, .99)), each/1024)
	}
	if refused := x.fault.Load(); refused != nil {
		return fmt.Errorf("a message or a reaction is refused: %s", refused)
	}
	return nil
}

// say writes a message and returns its seq.
func say(r *raw, channel string) (int64, error) {
	answer, err := r.call(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"chat","params":{"channel":%q,"body":"look"}}`, channel))
	if err != nil {
		return 0, err
	}
	var said struct{ Result struct{ Seq int64 } }
	if err := json.Unmarshal(answer, &said); err != nil {
		return 0, err
	}
	return said.Result.Seq, nil
}

var reactedMethod = []byte(`"method":"reacted"`)

func (x *reacting) receive(r *raw, sample bool) {
	for {
		frame, err := r.next()
		if err != nil {
			return
		}
		if bytes.Contains(frame, []byte(`"error":`)) {
			x.fault.Store(string(frame))
		}
		if bytes.Contains(frame[:min(len(frame), 40)], reactedMethod) {
			x.bytes.Add(int64(len(frame)))
		}
		if d, ok := jsonRPC.age(frame); ok && sample {
			x.mu.Lock()
			x.ages = append(x.ages, d)
			x.mu.Unlock()
		}
	}
}

// turn has chats for a while, and that many reactions a second, of which every
// member sends the same share: each adds one or takes it back.
func (x *reacting) turn(target int64, rate int) (ages []time.Duration, bytesASecond float64) {
	x.mu.Lock()
	x.ages = nil
	x.mu.Unlock()
	before := x.bytes.Load()
	seconds := int(reactingTurn / time.Second)
	var senders sync.WaitGroup
	senders.Go(func() {
		pace(reactingChats, reactingChats*seconds, func() bool { return x.all[0].send(stampedChat("stage", bodySize)) == nil })
	})
	if rate > 0 {
		senders.Go(func() { pace(rate, rate*seconds, func() bool { return x.react(target) == nil }) })
	}
	senders.Wait()
	time.Sleep(2 * time.Second) // for what is under way
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.ages, float64(x.bytes.Load()-before) / float64(seconds) / float64(len(x.all))
}

func (x *reacting) react(target int64) error {
	names := []string{"👍", "❤️", "😂", "🎉", "😮", "😢"}
	i, round := x.next%len(x.all), x.next/len(x.all)
	x.next++
	return x.all[i].send(fmt.Sprintf(`{"jsonrpc":"2.0","id":2,"method":"react","params":{"channel":"stage","seq":%d,"name":%q,"remove":%t}}`,
		target, names[(i+round/2)%len(names)], round%2 == 1))
}
