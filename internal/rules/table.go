package rules

import (
	"cmp"
	"container/heap"
	"slices"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

const (
	// MaxRecords is how many rules a table holds. Of more, those nearest to
	// their end make room.
	MaxRecords = 200_000
	// MaxBytes bounds what they take likewise, for grants can be long.
	MaxBytes = 64 << 20
	// overhead is what a rule takes besides its name and its value.
	overhead = 192
	// nominalAge is how long a revocation counts as needed where rules have to
	// make room: the default of --auth-max-age.
	nominalAge = 30 * 24 * time.Hour
	// slack is how much later than at its end a rule is over: clocks differ.
	slack = time.Minute
	// endedAtOnce bounds what Ended returns.
	endedAtOnce = 1000
)

// Table is what the records of parley.rules say together, up to some offset. Safe
// for concurrent use.
type Table struct {
	records, limit int // the bounds

	mu      sync.RWMutex
	rules   map[id]*entry
	byEnd   byEnd
	bytes   int
	evicted int64
	serial  uint64
	format  *schema.RulesFormat // nil: none
}

type id struct {
	kind Kind
	name string
}

// entry is a rule in few bytes.
type entry struct {
	id
	value    string // as encoded
	end      int64  // see end
	appended int64
	serial   uint64 // another one for each record
	at       int    // in byEnd
}

func (e *entry) size() int { return overhead + len(e.name) + len(e.value) }

// NewTable returns an empty table.
func NewTable() *Table {
	return &Table{records: MaxRecords, limit: MaxBytes, rules: map[id]*entry{}}
}

// Change is what a record changed. Its kind is zero for nothing.
type Change struct {
	Kind  Kind
	Name  string        // the user, or the jti of the token
	Order *schema.Order // of the kind Ordered; nil: an order is gone

	set  bool   // it is a rule, no tombstone
	gone *entry // what a tombstone took away
}

// Apply takes the next record of parley.rules; a nil value is a tombstone. One
// that cannot be decoded changes nothing, and is an error.
func (t *Table) Apply(key string, value []byte, appended time.Time) (Change, error) {
	r, err := Decode(key, value)
	if err != nil || r.Kind == 0 {
		return Change{}, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	change := Change{Kind: r.Kind, Name: r.Name, set: r.Value != nil}
	which := id{r.Kind, r.Name}
	switch {
	case r.Kind == Format:
		t.format, _ = r.Value.(*schema.RulesFormat)
		return change, nil
	case r.Value == nil:
		change.gone = t.rules[which]
		t.remove(change.gone)
		return change, nil
	}
	if r.Kind == Ordered {
		change.Order = r.Value.(*schema.Order)
	}
	end := end(r.Value, appended)
	old := t.rules[which]
	if r.Kind == Revoked && old != nil && old.end > end {
		return Change{}, nil // of two writers at once; the one before writes again
	}
	t.remove(old)
	text := r.Name + string(value)
	t.add(&entry{
		id: id{r.Kind, text[:len(r.Name)]}, value: text[len(r.Name):],
		end: end, appended: appended.UnixMilli(),
	})
	return change, nil
}

// add makes room for an entry and adds it.
func (t *Table) add(e *entry) {
	for len(t.byEnd) > 0 && (len(t.byEnd) >= t.records || t.bytes+e.size() > t.limit) {
		t.remove(t.byEnd[0])
		t.evicted++
	}
	t.serial++
	e.serial = t.serial
	t.rules[e.id] = e
	t.bytes += e.size()
	heap.Push(&t.byEnd, e)
}

func (t *Table) remove(e *entry) {
	if e == nil {
		return
	}
	delete(t.rules, e.id)
	t.bytes -= e.size()
	heap.Remove(&t.byEnd, e.at)
}

// Revoked reports whether a user's token is revoked, and by which kind of rule:
// Revoked for those issued before a time, RevokedToken for this one. A token that
// does not say when it was issued has the zero time, one without a jti "".
func (t *Table) Revoked(user, jti string, issued time.Time) (by Kind, revoked bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if e := t.rules[id{Revoked, user}]; e != nil {
		before := (e.end + 999) / 1000
		if issued.IsZero() || issued.Unix() < before {
			return Revoked, true
		}
	}
	if jti != "" && t.rules[id{RevokedToken, jti}] != nil {
		return RevokedToken, true
	}
	return 0, false
}

// Barred returns the bar of a user; false when there is none at that time.
func (t *Table) Barred(user string, now time.Time) (*schema.Bar, bool) {
	e := t.find(Barred, user)
	if e == nil || e.end <= now.UnixMilli() {
		return nil, false
	}
	return e.decoded().(*schema.Bar), true
}

// Granted returns what is granted to a user. Patterns are as they were written.
func (t *Table) Granted(user string) []*schema.Grant {
	e := t.find(Granted, user)
	if e == nil {
		return nil
	}
	return e.decoded().(*schema.UserGrants).Grants
}

// GrantSerial is another number whenever something else is granted to a user; 0
// while nothing is.
func (t *Table) GrantSerial(user string) uint64 {
	if e := t.find(Granted, user); e != nil {
		return e.serial
	}
	return 0
}

// Revocation returns the revocation of a user's tokens; nil without one.
func (t *Table) Revocation(user string) *schema.Revocation {
	e := t.find(Revoked, user)
	if e == nil {
		return nil
	}
	return e.decoded().(*schema.Revocation)
}

// Format is the number of the newest raise of the format that is complete, of the
// log of an epoch; 0 for none.
func (t *Table) Format(epoch string) int32 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if t.format.GetEpoch() != epoch {
		return 0
	}
	return t.format.GetNumber()
}

// Ended returns the keys of rules that are over at a time, at most 1,000 of them.
// tokenAge is how long after its iat a token can expire; with 0, for any time,
// revocations are never over.
func (t *Table) Ended(now time.Time, tokenAge time.Duration) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var over []string
	for _, e := range t.byEnd {
		if !e.over(now, tokenAge) {
			continue
		}
		if over = append(over, keyOf(e.kind, e.name)); len(over) == endedAtOnce {
			break
		}
	}
	return over
}

func (e *entry) over(now time.Time, tokenAge time.Duration) bool {
	at := now.Add(-slack)
	if e.kind == Revoked {
		if tokenAge <= 0 {
			return false
		}
		at = at.Add(-tokenAge)
	}
	return e.end <= at.UnixMilli()
}

// Rules returns all rules, by kind and name. Of the format there is none.
func (t *Table) Rules() []Rule {
	t.mu.RLock()
	entries := slices.Clone(t.byEnd)
	t.mu.RUnlock()
	slices.SortFunc(entries, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), strings.Compare(a.name, b.name))
	})
	all := make([]Rule, len(entries))
	for i, e := range entries {
		all[i] = Rule{e.kind, e.name, e.decoded()}
	}
	return all
}

// Stats are how many rules a table holds.
type Stats struct {
	Records int
	Bytes   int   // about what they take
	Evicted int64 // made room for others, ever
}

// Full reports whether rules had to make room, or nearly have to.
func (s Stats) Full() bool { return s.Records > MaxRecords*9/10 || s.Bytes > MaxBytes*9/10 }

// Stats returns how many rules there are.
func (t *Table) Stats() Stats {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return Stats{len(t.byEnd), t.bytes, t.evicted}
}

func (t *Table) find(k Kind, name string) *entry {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.rules[id{k, name}]
}

// decoded is the value, which was valid when it was applied. An entry in a table
// does not change.
func (e *entry) decoded() proto.Message {
	value := empty(e.kind)
	_ = proto.Unmarshal([]byte(e.value), value)
	return value
}

// byEnd is a heap of entries: what is nearest to its end, and of those the
// oldest, is first.
type byEnd []*entry

func (b byEnd) Len() int { return len(b) }

func (b byEnd) Less(i, j int) bool {
	x, y := b[i], b[j]
	return cmp.Or(cmp.Compare(x.rank(), y.rank()), cmp.Compare(x.appended, y.appended)) < 0
}

func (e *entry) rank() int64 {
	if e.kind == Revoked {
		return e.end + nominalAge.Milliseconds()
	}
	return e.end
}

func (b byEnd) Swap(i, j int) {
	b[i], b[j] = b[j], b[i]
	b[i].at, b[j].at = i, j
}

// Push is of heap.Interface.
func (b *byEnd) Push(x any) {
	e := x.(*entry)
	e.at = len(*b)
	*b = append(*b, e)
}

// Pop is of heap.Interface.
func (b *byEnd) Pop() any {
	last := len(*b) - 1
	e := (*b)[last]
	(*b)[last] = nil
	*b = (*b)[:last]
	return e
}
