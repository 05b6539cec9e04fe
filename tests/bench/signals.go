package main

import (
	"bytes"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

var signalMethod = []byte(`"method":"signal"`)

// signals: 5,000 signals a second from 1,000 users, in twos, as many as each may send;
// and what chats in another channel take meanwhile, in turn with and without.
func (b *bench) signals() error {
	const pairs, rate, rounds, seconds = 500, 5000, 5, 10
	var all []*raw
	var got, refused atomic.Int64
	for i := range 2 * pairs {
		r, err := b.enter(fmt.Sprint("s", i), signalRoom(i/2))
		if err != nil {
			return err
		}
		defer r.conn.Close()
		all = append(all, r)
		go count(r, &got, &refused)
	}
	chats, err := b.chatter("beside")
	if err != nil {
		return err
	}
	defer chats.close()
	var without, with []time.Duration
	var used [2]time.Duration
	sent := 0
	for range rounds {
		for flooding := range 2 {
			stopped := make(chan struct{})
			go func() {
				defer close(stopped)
				if flooding == 0 {
					return
				}
				pace(rate, rate*seconds, func() bool { sent++; return all[sent%len(all)].send(signalTo(signalRoom(sent%len(all)/2))) == nil })
			}()
			before := b.cpu()
			ages, err := chats.say(100, seconds)
			if err != nil {
				return err
			}
			<-stopped
			used[flooding] += b.cpu() - before
			if p99 := quantile(ages, .99); flooding == 0 {
				without = append(without, p99)
			} else {
				with = append(with, p99)
			}
		}
	}
	time.Sleep(time.Second)
	quiet, loud := quantile(without, .5), quantile(with, .5)
	b.row(fmt.Sprintf("%d signals/s in %d channels of 2, through one worker", rate, pairs), "%.1f %% arrive, %d refused; %.0f CPU-seconds per million, everything but the load generator",
		100*float64(got.Load())/float64(sent), refused.Load(), (used[1]-used[0]).Seconds()/float64(sent)*1e6)
	b.row("chats meanwhile, 100 messages/s in another channel", "p99 %.2f ms, %.2f ms without: %.2f times (goal ≤ 1.2; the median of %d rounds of %d s each)",
		ms(loud), ms(quiet), float64(loud)/float64(quiet), rounds, seconds)
	return nil
}

func signalRoom(i int) string { return fmt.Sprint("pair", i) }

func signalTo(channel string) string {
	return `{"jsonrpc":"2.0","id":3,"method":"signal","params":{"channel":"` + channel + `","name":"cursor","data":{"x":120,"y":340}}}`
}

// count counts the signals, and the errors, that a client gets.
func count(r *raw, got, refused *atomic.Int64) {
	for {
		frame, err := r.next()
		if err != nil {
			return
		}
		switch {
		case bytes.Contains(frame[:min(len(frame), 40)], signalMethod):
			got.Add(1)
		case bytes.Contains(frame, []byte(`"error":`)):
			refused.Add(1)
		}
	}
}

// chatter is one who speaks in a channel, and one who hears it.
type chatter struct {
	channel          string
	speaker, hearing *raw
}

func (b *bench) chatter(channel string) (*chatter, error) {
	c := &chatter{channel: channel}
	var err error
	if c.speaker, err = b.enter("speaker", channel); err != nil {
		return nil, err
	}
	if c.hearing, err = b.enter("hearing", channel); err != nil {
		return nil, err
	}
	go drain(c.speaker)
	return c, nil
}

// say sends so many messages a second for so long, and returns their ages.
func (c *chatter) say(rate, seconds int) ([]time.Duration, error) {
	go pace(rate, rate*seconds, func() bool { return c.speaker.send(stampedChat(c.channel, bodySize)) == nil })
	ages, err := receive(c.hearing, rate*seconds)
	return slices.Clip(ages), err
}

func (c *chatter) close() {
	c.speaker.conn.Close()
	c.hearing.conn.Close()
}
