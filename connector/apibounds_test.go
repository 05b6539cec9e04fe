package connector

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/internal/testing/plaintest"
	"github.com/parley-chat/parley/schema"
)

// Connections to the API, each with as much of a head as it may send, take no more
// memory than is said.
//
//parley:bound connections to the API
func TestConnectionsOfBackendsTakeWhatTheyMay(t *testing.T) {
	const most, reckoned = 128, 64 << 10 // few enough to be there before the first one is closed for its head
	r := newAPIRig(t, func(cfg *Config) { cfg.API.connections = most })
	head := "GET /v1/rpc HTTP/1.1\r\nHost: localhost\r\nX: " + strings.Repeat("x", 24<<10-200)
	before := memoryInUse()
	for i := range most + most/4 {
		plaintest.Send(t, fmt.Sprint("127.0.0.", 1+i%100), strings.TrimPrefix(r.url, "http://"), head)
	}
	await.That(t, "as many are there as may be", func() bool { return r.c.api.Connections() == most })
	connectionsTake(t, before, most, reckoned)
}

// Of the channels that backends have asked about, as many stay watched as may be, those
// that were asked about last, and none of them for ever.
//
//parley:bound channels that backends ask about
func TestGuestsAreBounded(t *testing.T) {
	r := newFoldRig(t)
	now := time.Now()
	for i := range maxGuests + 10 {
		r.inc.guests.touch(fmt.Sprint(i), now.Add(time.Duration(i)*time.Millisecond))
		r.passes("watch")
		if i >= maxGuests {
			if e := r.passes("unwatch"); e.GetUnwatch().Channel != fmt.Sprint(i-maxGuests) {
				t.Fatalf("channel %s is let go of, want %d", e.GetUnwatch().Channel, i-maxGuests)
			}
		}
	}
	if n := r.inc.channels.count(); n != maxGuests {
		t.Errorf("%d channels are in memory, want %d", n, maxGuests)
	}
	r.inc.guests.sweep(now.Add(guestTime + time.Minute))
	for range maxGuests {
		r.passes("unwatch")
	}
	if n := r.inc.channels.count(); n != 0 {
		t.Errorf("%d channels are in memory when nobody has asked for a minute", n)
	}
}

// The list of channels takes what is counted, with names as long as they may be, and is
// refused where that is too much.
//
//parley:bound the list of channels
func TestRosterTakesWhatItMay(t *testing.T) {
	const budget = 16 << 20
	for name, c := range map[string]struct{ users, channels int }{"a user a channel": {1, math.MaxInt}, "one channel": {math.MaxInt, 1}, "ten a channel": {10, math.MaxInt}} {
		t.Run(name, func(t *testing.T) {
			before := inuse.SettledHeap()
			r := &roster{budget: budget, channels: map[string]*listed{}}
			var err error
			for i := 0; err == nil; i++ {
				channel := fmt.Sprintf("%0128d", i/c.users%c.channels)
				session := fmt.Sprintf("%026d", i)
				value, bad := proto.Marshal(&schema.StateMember{Channel: channel, Session: session, User: fmt.Sprintf("%0128d", i)})
				if bad != nil {
					t.Fatal(bad)
				}
				err = r.take(eventlog.Record{Key: []byte(schema.StateKeyMember(session, channel)), Value: value})
			}
			if err != errRoster {
				t.Fatal(err)
			}
			heap := inuse.SettledHeap() - before
			t.Logf("%d channels take %d bytes, %d are counted", len(r.channels), heap, r.bytes)
			if heap > budget*11/10 {
				t.Errorf("the list takes %d bytes, %d are counted", heap, r.bytes)
			}
			// All that ended leaves nothing.
			for channel, ch := range r.channels {
				if len(ch.sessions) == 0 { // there was no room for its first one
					r.drop(channel, ch)
				}
				for session := range ch.sessions {
					if err := r.take(eventlog.Record{Key: []byte(schema.StateKeyMember(session, channel))}); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(r.channels) != 0 || r.bytes != 0 {
				t.Errorf("%d channels and %d bytes are left", len(r.channels), r.bytes)
			}
			runtime.KeepAlive(r)
		})
	}
}
