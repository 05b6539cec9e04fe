package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"time"
)

const (
	floodTime     = 30 * time.Second
	floodChannels = 20
	floodMessages = 500 // in each channel, which is more than a ring holds of this size
	floodBody     = 4096
)

// floods are attacks by hostile clients, each for a while, and all of it at
// once. It prints the most memory that the process and the engine took meanwhile,
// beside the bounds that they state.
func (b *bench) floods(ctx context.Context) error {
	bounds, err := b.statedBounds()
	if err != nil {
		return err
	}
	if err := b.fillChannels(); err != nil {
		return err
	}
	time.Sleep(5 * time.Second) // for the projection to catch up
	b.row("stated bounds", "process %d MiB, ClickHouse %d MiB, together %d MiB", bounds.process>>20, bounds.engine>>20, (bounds.process+bounds.engine)>>20)
	all := []struct {
		name    string
		clients int
		client  func(context.Context, int) error
	}{
		{"nothing", 0, nil},
		{"`history`, all answers read", 300, b.askAndRead},
		{"`history`, answers unread", 1000, b.askAndIgnore},
		{"half requests", 5000, b.sendHalf},
	}
	for _, f := range all {
		peak := b.watchMemory(func() { b.flood(ctx, f.clients, f.client) })
		b.rowOfPeak(fmt.Sprintf("flood: %s, %d clients", f.name, f.clients), peak, bounds)
	}
	peak := b.watchMemory(func() {
		var together sync.WaitGroup
		for _, f := range all {
			together.Go(func() { b.flood(ctx, f.clients, f.client) })
		}
		together.Wait()
	})
	b.rowOfPeak("all of them at once", peak, bounds)
	return b.stillServes()
}

func (b *bench) rowOfPeak(what string, peak, bounds memory) {
	within := "below the bounds"
	if peak.process > bounds.process || peak.engine > bounds.engine {
		within = "BEYOND ITS BOUND"
		b.failed = "more memory was taken than is stated"
	}
	b.row(what, "process %d MiB, ClickHouse %d MiB: %s", peak.process>>20, peak.engine>>20, within)
}

// flood has so many clients, each coming back when it is thrown out.
func (b *bench) flood(ctx context.Context, clients int, client func(context.Context, int) error) {
	ctx, cancel := context.WithTimeout(ctx, floodTime)
	defer cancel()
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				if client(ctx, i) != nil {
					pause(ctx, time.Second)
				}
			}
		})
	}
	all.Wait()
	<-ctx.Done()
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func floodChannel(i int) string { return fmt.Sprint("flooded", i%floodChannels) }

// inChannel connects a client that has joined a channel, and ends with ctx.
func (b *bench) inChannel(ctx context.Context, i int) (*raw, func(), error) {
	r, err := b.enter(fmt.Sprint("flood", i), floodChannel(i))
	if err != nil {
		if r != nil {
			_ = r.conn.Close()
		}
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = r.conn.Close() })
	return r, func() { stop(); _ = r.conn.Close() }, nil
}

func askPage(i int) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"history","params":{"channel":%q,"limit":300,"before":%d}}`,
		floodChannel(i), 1+rand.IntN(floodChannels*floodMessages/6))
}

// askAndRead asks for pages without an end, and reads them.
func (b *bench) askAndRead(ctx context.Context, i int) error {
	r, end, err := b.inChannel(ctx, i)
	if err != nil {
		return err
	}
	defer end()
	const ahead = 20
	for n := 0; ; n++ {
		if err := r.send(askPage(i)); err != nil {
			return err
		}
		if n >= ahead {
			if _, err := r.next(); err != nil {
				return err
			}
		}
	}
}

// askAndIgnore asks for pages without an end, and reads none.
func (b *bench) askAndIgnore(ctx context.Context, i int) error {
	r, end, err := b.inChannel(ctx, i)
	if err != nil {
		return err
	}
	defer end()
	for {
		if err := r.send(askPage(i)); err != nil {
			return err
		}
	}
}

// sendHalf sends the beginning of a request, and no end of it.
func (b *bench) sendHalf(ctx context.Context, i int) error {
	r, err := dialRaw(b.addr, fmt.Sprint("half", i))
	if err != nil {
		return err
	}
	defer r.conn.Close()
	defer context.AfterFunc(ctx, func() { _ = r.conn.Close() })()
	const announced = 65_000
	head := binary.BigEndian.AppendUint16([]byte{0x81, 0x80 | 126}, announced)
	if _, err := r.conn.Write(append(append(head, 0, 0, 0, 0), strings.Repeat("x", announced-1)...)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r.conn) // until it is thrown out
	return err
}

// fillChannels sends large messages, of characters that JSON takes six bytes for.
func (b *bench) fillChannels() error {
	errs := make(chan error, floodChannels)
	body := strings.Repeat(`\u0001`, floodBody)
	for i := range floodChannels {
		go func() {
			r, err := b.enter(fmt.Sprint("filler", i), floodChannel(i))
			for n := 0; err == nil && n < floodMessages; n++ {
				_, err = r.call(fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":"chat","params":{"channel":%q,"body":"%s"}}`, floodChannel(i), body))
			}
			if r != nil {
				_ = r.conn.Close()
			}
			errs <- err
		}()
	}
	for range floodChannels {
		if err := <-errs; err != nil {
			return err
		}
	}
	return nil
}

// stillServes reports whether a new client is served as if nothing had happened.
func (b *bench) stillServes() error {
	begin := time.Now()
	r, err := b.enter("afterwards", "quiet")
	if err != nil {
		return err
	}
	_ = r.conn.Close()
	b.row("afterwards, a client joins", "%.0f ms", ms(time.Since(begin)))
	return nil
}
