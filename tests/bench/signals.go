package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"time"
)

var signalMethod = []byte(`"method":"signal"`)

// signallers is the part that [bench.signals] runs in a process of its own. Those whose
// signals it sends come with processors of their own, so it takes what others leave.
const signallers = "signallers"

const (
	signalPairs   = 500
	signalRate    = 5000
	signalSeconds = 10
)

// signals: 5,000 signals a second from 1,000 users, in twos, as many as each may send;
// and what chats in another channel take meanwhile, in turn with and without.
func (b *bench) signals(ctx context.Context) error {
	const rounds = 5
	crowd, err := b.startSignallers(ctx)
	if err != nil {
		return err
	}
	defer crowd.stop()
	chats, err := b.chatter("beside")
	if err != nil {
		return err
	}
	defer chats.close()
	var without, with []time.Duration
	var used [2]time.Duration
	for range rounds {
		for flooding := range 2 {
			done := func() error { return nil }
			if flooding == 1 {
				if done, err = crowd.send(); err != nil {
					return err
				}
			}
			before := b.cpu()
			ages, err := chats.say(100, signalSeconds)
			if err == nil {
				err = done()
			}
			if err != nil {
				return err
			}
			used[flooding] += b.cpu() - before
			if p99 := quantile(ages, .99); flooding == 0 {
				without = append(without, p99)
			} else {
				with = append(with, p99)
			}
		}
	}
	quiet, loud := quantile(without, .5), quantile(with, .5)
	b.row(fmt.Sprintf("%d signals/s in %d channels of 2, through one worker", signalRate, signalPairs), "%.1f %% arrive, %d refused; %.0f CPU-seconds per million, everything but the load generator",
		100*float64(crowd.Got)/float64(crowd.Sent), crowd.Refused, (used[1]-used[0]).Seconds()/float64(crowd.Sent)*1e6)
	b.row("chats meanwhile, 100 messages/s in another channel", "p99 %.2f ms, %.2f ms without: %.2f times (goal ≤ 1.2; the median of %d rounds of %d s each)",
		ms(loud), ms(quiet), float64(loud)/float64(quiet), rounds, signalSeconds)
	return nil
}

// signalCrowd is the process of those who send signals, and what it has told.
type signalCrowd struct {
	Sent, Got, Refused int64
	Error              string

	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

// startSignallers starts the process and waits until all have entered.
func (b *bench) startSignallers(ctx context.Context) (*signalCrowd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &signalCrowd{cmd: exec.CommandContext(ctx, "nice", "-n", attackersYield, self, "--only", signallers)}
	c.cmd.Stderr = os.Stderr
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err == nil {
		c.out = json.NewDecoder(out)
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, err
	}
	if _, err = fmt.Fprintln(c.in, b.addr); err == nil {
		err = c.heard()
	}
	if err != nil {
		c.stop()
	}
	return c, err
}

// heard waits for what the process tells next.
func (c *signalCrowd) heard() error {
	if err := c.out.Decode(c); err != nil {
		return fmt.Errorf("the process of those who send signals has ended: %w", err)
	}
	if c.Error != "" {
		return errors.New(c.Error)
	}
	return nil
}

// send has all send for ten seconds; done waits for it.
func (c *signalCrowd) send() (done func() error, err error) {
	_, err = io.WriteString(c.in, "send\n")
	return c.heard, err
}

// stop ends the process.
func (c *signalCrowd) stop() {
	_ = c.in.Close()
	_ = c.cmd.Wait()
}

// signallersOf is the process. The first line that it reads is the server's address: it
// tells when all have entered. For each line after that it sends signals, and tells.
func signallersOf(in io.Reader, out io.Writer) error {
	var all []*raw
	var got, refused atomic.Int64
	var sent int64
	tell := func(err error) {
		c := signalCrowd{Sent: sent, Got: got.Load(), Refused: refused.Load()}
		if err != nil {
			c.Error = err.Error()
		}
		_ = json.NewEncoder(out).Encode(&c)
	}
	lines := bufio.NewScanner(in)
	lines.Scan()
	b := &bench{addr: lines.Text()}
	for i := range 2 * signalPairs {
		r, err := b.enter(fmt.Sprint("s", i), signalRoom(i/2))
		if err != nil {
			tell(err)
			return err
		}
		defer r.conn.Close()
		all = append(all, r)
		go count(r, &got, &refused)
	}
	tell(nil)
	for lines.Scan() {
		pace(signalRate, signalRate*signalSeconds, func() bool {
			sent++
			of := int(sent) % len(all)
			return all[of].send(signalTo(signalRoom(of/2))) == nil
		})
		time.Sleep(time.Second) // for what is on its way
		tell(nil)
	}
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
	ages, err := jsonRPC.receive(c.hearing, rate*seconds)
	return slices.Clip(ages), err
}

func (c *chatter) close() {
	c.speaker.conn.Close()
	c.hearing.conn.Close()
}
