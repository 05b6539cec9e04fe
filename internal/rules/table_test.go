package rules

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/parley-chat/parley/schema"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func encode(t testing.TB, m proto.Message) []byte {
	t.Helper()
	value, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// put applies a rule that was appended at noon; a nil value is a tombstone.
func put(t testing.TB, table *Table, kind Kind, name string, m proto.Message) Change {
	t.Helper()
	var value []byte
	if m != nil {
		value = encode(t, m)
	}
	change, err := table.Apply(keyOf(kind, name), value, noon)
	if err != nil {
		t.Fatal(err)
	}
	return change
}

func TestRevoked(t *testing.T) {
	at := func(ms int64) *schema.Revocation { return &schema.Revocation{Before: ms} }
	for name, c := range map[string]struct {
		before []int64 // of records, in order
		jti    string  // that is revoked
		token  time.Time
		by     Kind
	}{
		"nothing":                         {nil, "", noon, 0},
		"issued before":                   {[]int64{10_000}, "", time.Unix(9, 0), Revoked},
		"issued in that second":           {[]int64{10_000}, "", time.Unix(10, 0), 0},
		"before is rounded up":            {[]int64{10_001}, "", time.Unix(10, 0), Revoked},
		"issued in the second after":      {[]int64{10_001}, "", time.Unix(11, 0), 0},
		"issued at a fraction before":     {[]int64{10_001}, "", time.UnixMilli(10_999), Revoked},
		"without iat":                     {[]int64{1}, "", time.Time{}, Revoked},
		"iat is 0":                        {[]int64{1}, "", time.Unix(0, 0), Revoked},
		"a later one moves it on":         {[]int64{10_000, 20_000}, "", time.Unix(15, 0), Revoked},
		"an earlier one does not":         {[]int64{20_000, 10_000}, "", time.Unix(15, 0), Revoked},
		"by its jti":                      {nil, "id", noon, RevokedToken},
		"another jti":                     {nil, "other", noon, 0},
		"both":                            {[]int64{noon.UnixMilli() + 1}, "id", noon, Revoked},
		"by its jti, issued long after":   {[]int64{1}, "id", noon, RevokedToken},
		"another jti, and issued too old": {[]int64{noon.UnixMilli() + 1}, "other", noon, Revoked},
	} {
		table := NewTable()
		for _, before := range c.before {
			put(t, table, Revoked, "ada", at(before))
		}
		if c.jti != "" {
			put(t, table, RevokedToken, c.jti, &schema.TokenRevocation{Time: 1})
		}
		if by, revoked := table.Revoked("ada", "id", c.token); by != c.by || revoked != (c.by != 0) {
			t.Errorf("%s: revoked by %q: %v", name, by, revoked)
		}
		if by, revoked := table.Revoked("bob", "", c.token); revoked {
			t.Errorf("%s: somebody else's token is revoked by %q", name, by)
		}
		put(t, table, Revoked, "ada", nil)
		put(t, table, RevokedToken, "id", nil)
		if _, revoked := table.Revoked("ada", "id", c.token); revoked {
			t.Errorf("%s: revoked after its tombstone", name)
		}
	}
}

func TestBarred(t *testing.T) {
	table := NewTable()
	put(t, table, Barred, "ever", &schema.Bar{Reason: "spam", Time: 1})
	put(t, table, Barred, "until", &schema.Bar{Until: noon.UnixMilli(), By: &schema.Author{By: &schema.Author_Key{Key: "cli"}}})
	put(t, table, Barred, "lifted", &schema.Bar{Time: 1})
	put(t, table, Barred, "lifted", &schema.Bar{Until: 1})
	put(t, table, Barred, "gone", &schema.Bar{Time: 1})
	put(t, table, Barred, "gone", nil)
	put(t, table, Revoked, "revoked", &schema.Revocation{Before: 1})
	for user, want := range map[string][2]bool{ // just before noon, at noon
		"ever": {true, true}, "until": {true, false}, "lifted": {}, "gone": {}, "revoked": {}, "nobody": {},
	} {
		for i, now := range []time.Time{noon.Add(-time.Millisecond), noon} {
			if _, barred := table.Barred(user, now); barred != want[i] {
				t.Errorf("%s at %v: barred: %v", user, now, barred)
			}
		}
	}
	if bar, _ := table.Barred("ever", noon); bar.GetReason() != "spam" || bar.GetUntil() != 0 {
		t.Errorf("the bar is %v", bar)
	}
	if bar, _ := table.Barred("until", noon.Add(-time.Hour)); bar.GetBy().GetKey() != "cli" || bar.GetUntil() != noon.UnixMilli() {
		t.Errorf("the bar is %v", bar)
	}
}

func TestGranted(t *testing.T) {
	table := NewTable()
	grant := func(channel string) *schema.UserGrants {
		return &schema.UserGrants{Grants: []*schema.Grant{{Channels: []string{channel}, Allow: []string{"join"}}}}
	}
	put(t, table, Granted, "ada", grant("a"))
	put(t, table, Granted, "ada", grant("b"))
	put(t, table, Granted, "bob", grant("c"))
	put(t, table, Granted, "bob", &schema.UserGrants{})
	if g := table.Granted("ada"); len(g) != 1 || !slices.Equal(g[0].Channels, []string{"b"}) || !slices.Equal(g[0].Allow, []string{"join"}) {
		t.Errorf("a later one does not replace it: %v", g)
	}
	for _, user := range []string{"bob", "nobody"} {
		if g := table.Granted(user); len(g) != 0 {
			t.Errorf("%s is granted %v", user, g)
		}
	}
}

// What a record changes is told once, an order with what it says.
func TestChanges(t *testing.T) {
	table := NewTable()
	for _, c := range []struct {
		kind  Kind
		name  string
		value proto.Message
	}{
		{Revoked, "ada", &schema.Revocation{Before: 10}}, {RevokedToken, "jti/1", &schema.TokenRevocation{Time: 1}}, {Barred, "a/b", &schema.Bar{Time: 1}},
		{Granted, "ada", &schema.UserGrants{Time: 1}}, {Ordered, "ada", &schema.Order{Session: "s", Reconnect: true, Time: 7}}, {Format, "", &schema.RulesFormat{Number: 2, Epoch: "e"}},
		{Barred, "a/b", nil}, {Ordered, "ada", nil}, {Barred, "was never there", nil},
	} {
		got := put(t, table, c.kind, c.name, c.value)
		if got.Kind != c.kind || got.Name != c.name {
			t.Errorf("%v of %q changed %v of %q", c.kind, c.name, got.Kind, got.Name)
		}
		if want, _ := c.value.(*schema.Order); !proto.Equal(got.Order, want) {
			t.Errorf("the order is %v", got.Order)
		}
	}
	if of, other := table.Format("e"), table.Format("f"); of != 2 || other != 0 {
		t.Errorf("the format is %d, that of another epoch's log %d, want 2 and 0", of, other)
	}
	if got := put(t, table, Revoked, "ada", &schema.Revocation{Before: 9}); got != (Change{}) {
		t.Errorf("an earlier revocation changed %v", got)
	}
}

func TestEnded(t *testing.T) {
	const age = time.Hour
	for name, c := range map[string]struct {
		kind  Kind
		value proto.Message
		after time.Duration // of noon, when it ends; 0: it does not
	}{
		"a revocation":             {Revoked, &schema.Revocation{Before: noon.UnixMilli()}, age},
		"a token's":                {RevokedToken, &schema.TokenRevocation{Until: noon.Add(time.Minute).UnixMilli()}, time.Minute},
		"a token's without end":    {RevokedToken, &schema.TokenRevocation{Time: 1}, 0},
		"a bar":                    {Barred, &schema.Bar{Until: noon.Add(time.Minute).UnixMilli()}, time.Minute},
		"a bar without end":        {Barred, &schema.Bar{Time: 1}, 0},
		"a bar that was lifted":    {Barred, &schema.Bar{Until: noon.Add(time.Nanosecond).UnixMilli()}, time.Nanosecond},
		"grants":                   {Granted, &schema.UserGrants{Grants: []*schema.Grant{{}}}, 0},
		"grants that were taken":   {Granted, &schema.UserGrants{}, time.Nanosecond},
		"an order":                 {Ordered, &schema.Order{Time: 1}, 30 * time.Second},
		"an order from the future": {Ordered, &schema.Order{Time: maxTime}, 30 * time.Second},
	} {
		table := NewTable()
		put(t, table, c.kind, "x", c.value)
		put(t, table, Format, "", &schema.RulesFormat{Number: 2, Epoch: "e"})
		late := table.Ended(noon.AddDate(100, 0, 0), age)
		if c.after == 0 {
			if len(late) != 0 {
				t.Errorf("%s: ended: %v", name, late)
			}
			continue
		}
		if got := table.Ended(noon.Add(c.after+slack-time.Millisecond), age); len(got) != 0 {
			t.Errorf("%s: ended too early: %v", name, got)
		}
		want := []string{keyOf(c.kind, "x")}
		if got := table.Ended(noon.Add(c.after+slack), age); !slices.Equal(got, want) || !slices.Equal(late, want) {
			t.Errorf("%s: ended: %v, later %v", name, got, late)
		}
		if got := table.Ended(noon.AddDate(100, 0, 0), 0); (len(got) == 0) != (c.kind == Revoked) {
			t.Errorf("%s: where tokens have any age, ended: %v", name, got)
		}
		put(t, table, c.kind, "x", nil)
		if got := table.Ended(noon.AddDate(100, 0, 0), age); len(got) != 0 {
			t.Errorf("%s: ended after its tombstone: %v", name, got)
		}
	}
	table := NewTable()
	for i := range 2 * endedAtOnce {
		put(t, table, Ordered, fmt.Sprint(i), &schema.Order{Time: 1})
	}
	if got := table.Ended(noon.AddDate(1, 0, 0), age); len(got) != endedAtOnce {
		t.Errorf("%d ended at once", len(got))
	}
}

// A full table takes what comes; what is nearest to its end makes room.
func TestFullTableForgetsWhatEndsNext(t *testing.T) {
	table := NewTable()
	table.records = 4
	soon := func(d time.Duration) *schema.Bar { return &schema.Bar{Until: noon.Add(d).UnixMilli()} }
	put(t, table, Barred, "ever", &schema.Bar{Time: 1})
	put(t, table, Barred, "month", soon(31*24*time.Hour))
	put(t, table, Revoked, "revoked", &schema.Revocation{Before: noon.UnixMilli()}) // for 30 days
	put(t, table, Barred, "soon", soon(time.Hour))
	left := func(want ...string) {
		t.Helper()
		var names []string
		for _, r := range table.Rules() {
			names = append(names, r.Name)
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("there are %v, want %v", names, want)
		}
	}
	left("ever", "month", "revoked", "soon")
	put(t, table, Barred, "soon", soon(2*time.Hour)) // takes no room
	left("ever", "month", "revoked", "soon")
	put(t, table, Barred, "sooner", soon(time.Minute))
	left("ever", "month", "revoked", "sooner")
	put(t, table, RevokedToken, "id", &schema.TokenRevocation{Time: 1})
	put(t, table, Barred, "new", &schema.Bar{Time: 1})
	left("ever", "id", "month", "new")
	if s := table.Stats(); s.Evicted != 3 || s.Records != 4 {
		t.Errorf("%+v", s)
	}
	table.limit = table.Stats().Bytes
	put(t, table, Granted, "long", &schema.UserGrants{Grants: []*schema.Grant{{Channels: []string{strings.Repeat("x", 100)}}}})
	if s := table.Stats(); s.Bytes > table.limit || s.Records > 4 {
		t.Errorf("%+v, of at most %d bytes", s, table.limit)
	}
	if table.Granted("long") == nil {
		t.Error("what came last is not there")
	}
}

// A table says what a plain list of the newest records says, in any order of
// records and at any time.
func TestTableSaysWhatAListSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table, plain := NewTable(), map[string]proto.Message{}
		times := rapid.Int64Range(1, 5000)
		for range rapid.IntRange(0, 30).Draw(t, "records") {
			kind := rapid.SampledFrom([]Kind{Revoked, RevokedToken, Barred, Granted}).Draw(t, "kind")
			key := keyOf(kind, rapid.SampledFrom([]string{"a", "b", "a/b"}).Draw(t, "name"))
			var value proto.Message
			switch at := times.Draw(t, "time"); {
			case rapid.IntRange(0, 5).Draw(t, "tombstone") == 0:
			case kind == Revoked:
				if old, ok := plain[key].(*schema.Revocation); ok {
					at = max(at, old.Before)
				}
				value = &schema.Revocation{Before: at}
			case kind == RevokedToken:
				value = &schema.TokenRevocation{Until: at}
			case kind == Barred:
				value = &schema.Bar{Until: at * int64(rapid.IntRange(0, 1).Draw(t, "ends"))}
			case kind == Granted:
				value = &schema.UserGrants{Grants: make([]*schema.Grant, rapid.IntRange(0, 2).Draw(t, "grants")), Time: at}
				for i := range value.(*schema.UserGrants).Grants {
					value.(*schema.UserGrants).Grants[i] = &schema.Grant{Channels: []string{fmt.Sprint(at, i)}}
				}
			}
			var bytes []byte
			if delete(plain, key); value != nil {
				plain[key] = value
				bytes, _ = proto.MarshalOptions{}.MarshalAppend([]byte{}, value)
			}
			if _, err := table.Apply(key, bytes, noon); err != nil {
				t.Fatal(err)
			}
		}
		now := time.UnixMilli(times.Draw(t, "now"))
		for _, user := range []string{"a", "b", "a/b"} {
			issued := time.Unix(rapid.Int64Range(0, 6).Draw(t, "issued"), 0)
			r, _ := plain[keyOf(Revoked, user)].(*schema.Revocation)
			want := r != nil && float64(issued.Unix())*1000 < float64(r.Before) || plain[keyOf(RevokedToken, user)] != nil
			if _, got := table.Revoked(user, user, issued); got != want {
				t.Fatalf("%q, issued at %v, is revoked: %v, by %v", user, issued, got, plain)
			}
			bar, _ := plain[keyOf(Barred, user)].(*schema.Bar)
			got, barred := table.Barred(user, now)
			if want := bar != nil && (bar.Until == 0 || bar.Until > now.UnixMilli()); barred != want || barred && !proto.Equal(got, bar) {
				t.Fatalf("%q is barred: %v, %v, by %v", user, barred, got, plain)
			}
			if grants, _ := plain[keyOf(Granted, user)].(*schema.UserGrants); !proto.Equal(&schema.UserGrants{Grants: table.Granted(user), Time: grants.GetTime()}, &schema.UserGrants{Grants: grants.GetGrants(), Time: grants.GetTime()}) {
				t.Fatalf("%q is granted %v, by %v", user, table.Granted(user), plain)
			}
		}
		var keys []string
		for _, r := range table.Rules() {
			keys = append(keys, r.Key())
			if !proto.Equal(r.Value, plain[r.Key()]) {
				t.Fatalf("%s is %v, want %v", r.Key(), r.Value, plain[r.Key()])
			}
		}
		if want := slices.Sorted(maps.Keys(plain)); !slices.Equal(slices.Sorted(slices.Values(keys)), want) {
			t.Fatalf("there are %v, want %v", keys, want)
		}
	})
}
