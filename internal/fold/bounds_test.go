package fold

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/internal/testing/inuse"
	"github.com/parley-chat/parley/schema"
)

// A channel that nobody is in any more takes its name and as much as
// docs/architecture.md says.
//
//parley:bound channels without members
func TestChannelsWithoutMembersTakeLittle(t *testing.T) {
	const channels, reckoned = 50_000, 120
	f := New(Log{Epoch: "e1", Window: testWindow})
	offset, counter := int64(1), uint64(0)
	step := func(e func(counter uint64) *schema.Event) {
		counter++
		apply(t, f, offset, e(counter))
		offset++
	}
	before := inuse.Heap()
	for i := range channels {
		name := fmt.Sprintf("%0*d", schema.MaxName, i)
		step(func(n uint64) *schema.Event { return join("a", n, name, "s", "ann") })
		step(func(n uint64) *schema.Event { return chat("a", n, name, "ann", fmt.Sprint(i), "") })
		step(func(n uint64) *schema.Event { return leave("a", n, name, "s", "ann") })
	}
	f.dirty = newDirtyKeys() // as after a checkpoint
	each := (inuse.Heap() - before) / channels
	t.Logf("%d bytes a channel, %d of them its name", each, schema.MaxName)
	if each > reckoned+schema.MaxName {
		t.Errorf("a channel without members takes %d bytes besides its name, %d are reckoned with", each-schema.MaxName, reckoned)
	}
	runtime.KeepAlive(f)
}

// Members take their names and as much as docs/architecture.md says, and nothing
// where nobody is any more.
//
//parley:bound the members that hooks know
func TestMembersTakeLittle(t *testing.T) {
	const channels, each, reckoned = 1000, 50, 300
	m := NewMembers(Log{Epoch: "e1", Window: testWindow})
	offset := int64(1)
	apply := func(e *schema.Event) {
		if _, _, err := m.Apply(offset, e); err != nil {
			t.Fatal(err)
		}
		offset++
	}
	before := inuse.Heap()
	for _, come := range []bool{true, false} {
		for i := range channels {
			for j := range each {
				channel, session, user := fmt.Sprintf("%0*d", schema.MaxName, i), fmt.Sprintf("%032d-%d", i, j), fmt.Sprintf("%0*d", schema.MaxName, j)
				if come {
					apply(join("a", uint64(offset), channel, session, user))
				} else {
					apply(leave("a", uint64(offset), channel, session, user))
				}
			}
		}
		m.dirty = map[memberKey]struct{}{} // as after a checkpoint
		took := inuse.Heap() - before
		if !come {
			if took > 256<<10 { // maps keep their size
				t.Errorf("%d bytes without members", took)
			}
			break
		}
		of := took/(channels*each) - schema.MaxName - 34
		t.Logf("%d bytes a member besides its names", of)
		if of > reckoned {
			t.Errorf("a member takes %d bytes besides its names, %d are reckoned with", of, reckoned)
		}
	}
	runtime.KeepAlive(m)
}

// In a worker the window and its void messages take what docs/architecture.md
// says together, also where a client says the same again and again.
//
//parley:bound the void window
func TestVoidMessagesTakeWhatTheyMay(t *testing.T) {
	const reckoned = 15_000_000 + 8_000_000
	for name, channels := range map[string]int{"in one channel": 1, "in as many as can be": schema.Window / 2} {
		t.Run(name, func(t *testing.T) {
			f := New(Log{Epoch: "e1", Window: schema.Window})
			connector := strings.Repeat("c", schema.MaxID)
			before := inuse.Heap()
			for i := range int64(3 * schema.Window) {
				e := chat(connector, uint64(i+1), fmt.Sprintf("%0*d", schema.MaxName, i/2%int64(channels)), "ann", "1", "")
				value, err := proto.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				read := new(schema.Event)
				if err := proto.Unmarshal(value, read); err != nil {
					t.Fatal(err)
				}
				f.window.Judge(i, read)
				f.voids.forget(i)
				if i%2 == 1 || channels == 1 {
					f.voids.add(i, read.Channel())
				}
			}
			heap := inuse.Heap() - before
			t.Logf("%d bytes", heap)
			if heap > reckoned {
				t.Errorf("the window takes %d bytes, at most %d are reckoned with", heap, reckoned)
			}
			runtime.KeepAlive(f)
		})
	}
}

// A sanction takes what docs/architecture.md says besides what is written in it.
//
//parley:bound sanctions
func TestSanctionsTakeLittle(t *testing.T) {
	const sanctions, reckoned = 50_000, 300
	f := New(Log{Epoch: "e1", Window: testWindow})
	apply(t, f, 0, markerOf(2))
	before := inuse.Heap()
	written := 0
	for i := range sanctions {
		e := sanctionOf(ban, "a", uint64(i+1), fmt.Sprint("c", i%5), long("user", i, 24), fmt.Sprint(i), 1)
		e.GetSanction().Reason, e.GetSanction().By = long("reason", i, 48), user(long("mod", i, 24))
		apply(t, f, int64(i+1), e)
		written = 24 + 48 + 24
	}
	f.dirty = newDirtyKeys() // as after a checkpoint
	each := int(inuse.Heap()-before)/sanctions - written
	t.Logf("%d bytes a sanction besides what is written in it", each)
	if each > reckoned || each+written > 400 {
		t.Errorf("a sanction takes %d bytes besides what is written in it, %d are reckoned with", each, reckoned)
	}
	runtime.KeepAlive(f)
}

// long is a name with a number that takes that many bytes.
func long(name string, i, bytes int) string {
	return fmt.Sprintf("%s%0*d", name, bytes-len(name), i)
}

// The settings of a channel take what docs/architecture.md says besides what is set.
//
//parley:bound settings of a channel
func TestSettingsTakeWhatTheyMay(t *testing.T) {
	const channels, reckoned = 5_000, 1200
	f := New(Log{Epoch: "e1", Window: testWindow})
	apply(t, f, 0, markerOf(2))
	offset := int64(1)
	before := inuse.Heap()
	for i := range channels {
		name := fmt.Sprint("c", i)
		apply(t, f, offset, setOf("a", uint64(offset), name, fmt.Sprint(offset), func(s *schema.Set) {
			topic(long("topic", i, schema.MaxTopic))(s)
			s.Data = []byte(long("9", i, schema.MaxTopicData))
		}))
		offset++
		for pin := range schema.MaxPins + 10 {
			apply(t, f, offset, pinOf("a", uint64(offset), name, fmt.Sprint(offset), int64(pin+1), false))
			offset++
		}
	}
	f.dirty = newDirtyKeys() // as after a checkpoint
	each := int(inuse.Heap()-before)/channels - schema.MaxTopic - schema.MaxTopicData
	t.Logf("%d bytes a channel besides what is set", each)
	if each > reckoned {
		t.Errorf("the settings of a channel take %d bytes besides what is set, %d are reckoned with", each, reckoned)
	}
	runtime.KeepAlive(f)
}
