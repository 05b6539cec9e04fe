package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// attackers is the part that [bench.attacked] runs in a process of its own.
const attackers = "attackers"

// attackersYield is how nice that process is: hostile clients come with processors
// of their own, so here they take what others leave.
const attackersYield = "19"

// orders are what a process of hostile clients reads from its standard input.
type orders struct {
	Addr  string
	Key   []byte // that tokens are made with
	Peers int
	Many  int
	Only  string   // a part of the name of the only attack; "": all
	Halls []string // that they overload, in place of attacks
	Time  time.Duration
}

// attacked lets hostile clients do what they do, for a while.
func (b *bench) attacked(ctx context.Context, c *crowd, many int, d time.Duration, only string) {
	b.send(ctx, c, orders{Peers: len(c.peers), Many: many, Only: only, Time: d}, func(string) {})
}

// send has a process of hostile clients carry out orders, until it ends or ctx
// does. heard is called with each line that it prints.
func (b *bench) send(ctx context.Context, c *crowd, o orders, heard func(line string)) {
	err := func() (err error) {
		o.Addr = c.addr
		if o.Key, err = x509.MarshalECPrivateKey(c.tokens.key); err != nil {
			return err
		}
		given, err := json.Marshal(o)
		if err != nil {
			return err
		}
		self, err := os.Executable()
		if err != nil {
			return err
		}
		child := exec.CommandContext(ctx, "nice", "-n", attackersYield, self, "--only", attackers)
		child.Stdin, child.Stderr = bytes.NewReader(given), os.Stderr
		out, err := child.StdoutPipe()
		if err != nil {
			return err
		}
		if err := child.Start(); err != nil {
			return err
		}
		for lines := bufio.NewScanner(out); lines.Scan(); {
			heard(lines.Text())
		}
		return child.Wait()
	}()
	if err != nil && ctx.Err() == nil {
		b.failed = cmp.Or(b.failed, fmt.Sprintf("the process of hostile clients: %v", err))
	}
}

// attack is the process of hostile clients.
func attack(ctx context.Context, in io.Reader) error {
	var o orders
	if err := json.NewDecoder(in).Decode(&o); err != nil {
		return err
	}
	key, err := x509.ParseECPrivateKey(o.Key)
	if err != nil {
		return err
	}
	c := &crowd{addr: o.Addr, tokens: &issuer{key: key}, peers: make([]*peer, o.Peers)}
	if len(o.Halls) > 0 {
		return c.overload(ctx, o)
	}
	ctx, stop := context.WithTimeout(ctx, o.Time)
	defer stop()
	var all sync.WaitGroup
	for i := range o.Many {
		a := &attacker{c, i, i % len(attacks)}
		if strings.Contains(attacks[a.kind].name, o.Only) {
			all.Go(func() { a.attack(ctx) })
		}
	}
	<-ctx.Done()
	all.Wait()
	return nil
}
