package chaos

import (
	"io"
	"net"
	"testing"
	"time"
)

// echo listens and sends back what it gets.
func echo(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(c, c) }()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-done
	})
	return ln.Addr().String()
}

func through(t *testing.T, p *proxy) net.Conn {
	c, err := net.Dial("tcp", p.addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// ask sends a word and waits for its echo.
func ask(c net.Conn, patience time.Duration) error {
	if _, err := c.Write([]byte("hello")); err != nil {
		return err
	}
	if err := c.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 5))
	return err
}

// A proxy passes on, holds back, cuts off and heals.
func TestProxy(t *testing.T) {
	p, err := newProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	c := through(t, p)
	if err := ask(c, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	p.stall()
	if err := ask(c, 50*time.Millisecond); err == nil {
		t.Error("a stalled proxy passes on")
	}
	p.heal()
	if err := c.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		t.Errorf("what was held back never came: %v", err)
	}
	p.slow(20*time.Millisecond, 1)
	began := time.Now()
	if err := ask(c, 10*time.Second); err != nil || time.Since(began) < 100*time.Millisecond {
		t.Errorf("a slow proxy took %v: %v", time.Since(began), err)
	}
	p.heal()
	p.reset()
	if err := ask(c, 10*time.Second); err == nil {
		t.Error("a connection that was reset goes on")
	}
	if err := ask(through(t, p), 10*time.Second); err != nil {
		t.Errorf("after the reset: %v", err)
	}
	if err := p.close(); err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", p.addr()); err == nil {
		t.Error("a closed proxy accepts")
	}
}
