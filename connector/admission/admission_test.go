package admission

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"
)

var nobody netip.Prefix // an address that is unknown

// Whoever has sent no hello makes room, the oldest first, once it had a second
// for it, and nobody else does.
func TestSilentMakeRoom(t *testing.T) {
	var limited []string
	var closed []int
	c := New(Config{Limits: Limits{BeforeHello: 2}, Connections: 3, Limited: func(limit string) { limited = append(limited, limit) }})
	begun := time.Now()
	admit := func(i int, at time.Duration, want string) *Ticket {
		t.Helper()
		ticket, refused := c.Admit(nobody, begun.Add(at))
		if refused != want {
			t.Fatalf("connection %d is refused for %q, want %q", i, refused, want)
		}
		if ticket != nil {
			ticket.Upgraded(func() { closed = append(closed, i) })
		}
		return ticket
	}
	first := admit(0, 0, "")
	first.Greeted()
	oldest := admit(1, 0, "")
	admit(2, SilentAfter/2, "")
	admit(3, SilentAfter-1, RefusedFull)
	first.Release()
	admit(4, SilentAfter-1, RefusedHello)
	admit(5, SilentAfter, "") // in place of 1
	if !slices.Equal(limited, []string{"hello"}) || !slices.Equal(closed, []int{1}) {
		t.Errorf("it is told %v, and %v were closed, want hello and 1", limited, closed)
	}
	oldest.Release() // once its socket is closed
	if n := c.Counts(); n.Open != 2 || n.Silent != 2 {
		t.Errorf("%+v, want 2 that are open and silent", n)
	}
	for i := range 3 {
		admit(6+i, time.Minute, "").Greeted() // in place of 2, besides 5, in place of 5
	}
	if !slices.Equal(closed, []int{1, 2, 5}) {
		t.Errorf("%v were closed, want 1, 2 and 5", closed)
	}
	admit(9, time.Hour, RefusedFull)
}

// One address takes a tenth of the upgrades and so many connections, whatever
// others do.
func TestAddresses(t *testing.T) {
	c := New(Config{Limits: Limits{AddressConnections: 3, Upgrades: 20}, Connections: 100})
	begun := time.Now()
	admit := func(address netip.Prefix, at time.Duration, want string) *Ticket {
		t.Helper()
		ticket, refused := c.Admit(address, begun.Add(at))
		if refused != want {
			t.Fatalf("after %v a connection of %v is refused for %q, want %q", at, address, refused, want)
		}
		return ticket
	}
	fast, many := netip.MustParsePrefix("2001:db8::/64"), netip.MustParsePrefix("192.0.2.1/32")
	for range 4 { // twice its share of a second
		admit(fast, 0, "").Release()
	}
	admit(fast, 0, RefusedAddress)
	var last *Ticket
	for i := range 3 {
		last = admit(many, time.Duration(i)*time.Second, "")
	}
	admit(many, 5*time.Second, RefusedAddress)
	last.Release()
	admit(many, 5*time.Second, "")
	for range 39 { // and 40 of everybody
		admit(nobody, 5*time.Second, "")
	}
	admit(nobody, 5*time.Second, RefusedRate)
}

// A user has so many connections. Another one is to come back until those have
// had the time to show that they live, and is then refused.
func TestUsers(t *testing.T) {
	const verdict = 10 * time.Second
	c := New(Config{Limits: Limits{UserConnections: 2}, Connections: 100, Verdict: verdict})
	now := time.Now()
	enter := func(user string, at time.Duration, want error) (a *Account) {
		t.Helper()
		a, err := c.Enter(user, now.Add(at))
		if !errors.Is(err, want) {
			t.Errorf("after %v %s gets %v, want %v", at, user, err, want)
		}
		return a
	}
	a := enter("ada", 0, nil)
	if enter("ada", 0, nil) != a {
		t.Error("two sessions of a user have an account each")
	}
	if a.AskedAfter(now.Add(-1)) {
		t.Error("sessions are to be pinged though nobody is too many")
	}
	enter("ada", time.Second, ErrAsked)
	if !a.AskedAfter(now) || a.AskedAfter(now.Add(time.Second)) {
		t.Error("the sessions are not to be pinged, or without an end")
	}
	enter("ada", time.Second+verdict-1, ErrAsked)
	enter("ada", time.Second+verdict, ErrTooMany)
	enter("bob", time.Second+verdict, nil)
	enter("ada", time.Second+verdict+probeEvery+1, ErrAsked)
	c.Leave("ada")
	enter("ada", time.Second+verdict, nil)
}

// What the sessions of a user share is gone for all of them, and stays so for
// whoever leaves and comes back at once.
func TestAccountIsShared(t *testing.T) {
	c := New(Config{Limits: Limits{UserRate: 10, UserJoins: 5}, Connections: 100, Channels: 1})
	now := time.Now()
	drawn := func(draw func(*Account) bool) (n int) {
		for range 20 {
			a, err := c.Enter("ada", now)
			if err != nil {
				t.Fatal(err)
			}
			if draw(a) {
				n++
			}
			c.Leave("ada")
			c.Expire(now.Add(time.Second)) // too early for a fresh account
		}
		return n
	}
	for what, kind := range map[string]struct {
		draw func(*Account) bool
		want int
	}{
		"requests": {func(a *Account) bool { _, ok := a.DrawRequest(now); return ok }, 12}, // 10 and two a channel
		"joins":    {func(a *Account) bool { _, ok := a.DrawJoin(now); return ok }, 2},
		"chats":    {func(a *Account) bool { _, ok := a.DrawChat("lobby", 3, now); return ok }, 6},
		"acts":     {func(a *Account) bool { _, ok := a.DrawModeration(4, now); return ok }, 8},
		"others":   {func(a *Account) bool { _, ok := a.DrawChat("den", 3, now); return ok }, 6},
	} {
		if n := drawn(kind.draw); n != kind.want {
			t.Errorf("%d %s of 20 passed, want %d", n, what, kind.want)
		}
	}
	var none *Account
	if _, ok := none.DrawRequest(now); !ok {
		t.Error("without an account a request is refused")
	}
}

// An empty bucket says when there is more, and keeps its word.
func TestBuckets(t *testing.T) {
	b, now := NewBucket(10, 2), time.Now()
	for range 2 {
		if _, ok := Draw(b, now); !ok {
			t.Fatal("a fresh bucket has less than its burst")
		}
	}
	retry, ok := Draw(b, now)
	if ok || retry <= 99*time.Millisecond || retry > 100*time.Millisecond {
		t.Errorf("beyond the burst: %v after %v", ok, retry)
	}
	if _, ok := Draw(b, now.Add(101*time.Millisecond)); !ok {
		t.Error("there is none when there should be")
	}
	after := refill(10, 2)
	if full(b, now.Add(after)) || !full(b, now.Add(after+101*time.Millisecond)) {
		t.Errorf("it takes another time than %v to be full", after)
	}
	if _, ok := Draw(NewBucket(0, 2), now); !ok {
		t.Error("without a rate something is limited")
	}
}

// What should be rare may happen so often within a window, and as often in the
// next one.
func TestFlood(t *testing.T) {
	var f Flood
	for range 2 {
		for i := 1; i <= 4; i++ {
			if f.Exceeds(3) != (i > 3) {
				t.Errorf("number %d, of 3 that may be, is taken otherwise", i)
			}
		}
		f.since = f.since.Add(-FloodWindow - 1)
	}
}

// Who has gone is remembered until nothing is left that counts against them, and no
// longer; and never more of them than there may be connections.
//
//parley:bound users and addresses that have gone
func TestHoldersAreBoundedAndEmptied(t *testing.T) {
	c := New(Config{Limits: Limits{AddressConnections: 1000, UserConnections: 50, BeforeHello: 2000, UserRate: 200, UserJoins: 40}, Connections: 100, Channels: 128})
	now := time.Now()
	for i := range 10_000 {
		var ip [4]byte
		ip[0], ip[1], ip[2] = 11, byte(i>>8), byte(i)
		ticket, refused := c.Admit(netip.PrefixFrom(netip.AddrFrom4(ip), 32), now)
		if refused != "" {
			t.Fatal(refused)
		}
		user := fmt.Sprint("user", i)
		account, err := c.Enter(user, now)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 5000 {
			if i < 2 {
				account.chat(fmt.Sprint("channel", n), 10, now)
			}
		}
		if len(account.chats) > maxPaced {
			t.Fatalf("%d channels are remembered", len(account.chats))
		}
		c.Leave(user)
		ticket.Release()
		if n := c.Counts(); n.Users > 100 || n.Addresses > 100 {
			t.Fatalf("%d users and %d addresses are remembered", n.Users, n.Addresses)
		}
	}
	if n := c.Counts(); n.Open != 0 || n.Silent != 0 {
		t.Errorf("%d connections are open, %d silent", n.Open, n.Silent)
	}
	c.Expire(time.Now().Add(time.Minute))
	if n := c.Counts(); n.Users+n.Addresses+c.users.idle.Len()+c.addresses.idle.Len() != 0 {
		t.Errorf("%d users and %d addresses are remembered after a minute", n.Users, n.Addresses)
	}
}
