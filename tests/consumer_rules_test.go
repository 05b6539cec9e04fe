package tests

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/parley-chat/parley/schema"
)

// judge is a reader in Python that says what it makes of each record.
const judge = `
import sys, rules
window, guard = rules.VoidWindow(16), rules.FormatGuard()
for offset, line in enumerate(open(sys.argv[1])):
    try:
        event, kind = rules.decode(bytes.fromhex(line))
        void = window.judge(offset, event, kind)
        guard.judge(offset, event, kind)
        print(kind, "void" if void else "stands")
    except rules.Corrupt:
        print("corrupt")
    except rules.Newer:
        print("newer")
`

// verdicts is what we make of each record.
func verdicts(values [][]byte) (all []string) {
	window, guard := schema.NewVoidWindow(consumerWindow), schema.FormatGuard{}
	for offset, value := range values {
		e, err := schema.DecodeEvent(value)
		if errors.Is(err, schema.ErrCorrupt) {
			all = append(all, "corrupt")
			continue
		} else if err != nil {
			all = append(all, "newer")
			continue
		}
		verdict := kindOf(e) + " stands"
		if window.Judge(int64(offset), e) {
			verdict = kindOf(e) + " void"
		}
		if guard.Judge(int64(offset), e) != nil {
			verdict = "newer"
		}
		all = append(all, verdict)
	}
	return all
}

func kindOf(e *schema.Event) string {
	return string(e.ProtoReflect().WhichOneof(e.ProtoReflect().Descriptor().Oneofs().ByName("kind")).Name())
}

// The rules in Python are ours: of what is corrupt, newer and void, in a log
// that begins with either format, and with damage of all sorts in it.
func TestPythonConsumerJudgesAsWeDo(t *testing.T) {
	t.Parallel()
	folder, environment := python(t)
	random := rand.New(rand.NewPCG(2, 26))
	for _, c := range []struct {
		name   string
		format int32
		bad    int
		damage int // one record of so many
	}{
		{"whole", 2, 0, 0}, {"out of bounds", 2, 12, 0}, {"damaged", 2, 40, 2}, {"format 1", 1, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := drawing{random, c.bad}
			values := [][]byte{encode(t, &schema.Event{Kind: &schema.Event_Marker{Marker: &schema.Marker{Epoch: "e", Format: c.format, Window: consumerWindow}}})}
			for i := range 3000 {
				e := d.event(fmt.Sprint("k", d.IntN(3)), uint64(i/10+d.IntN(8)+1), fmt.Sprint("c", d.IntN(2)))
				if c.format == 1 && i == 1500 {
					e = &schema.Event{Kind: &schema.Event_Format{Format: &schema.Format{Number: 2}}}
				}
				value := encode(t, e)
				if c.damage > 0 && d.IntN(c.damage) == 0 {
					value = d.damaged(value)
				}
				values = append(values, value)
			}
			compare(t, folder, environment, values)
		})
	}
}

// damaged is value with a byte that is another, or without its end, or twice.
func (d drawing) damaged(value []byte) []byte {
	at := d.IntN(len(value))
	switch d.IntN(4) {
	case 0:
		return value[:at]
	case 1:
		return append(value, value...)
	}
	value[at] ^= byte(1 << d.IntN(8))
	return value
}

func compare(t *testing.T, folder string, environment []string, values [][]byte) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "values")
	var text strings.Builder
	for _, value := range values {
		text.WriteString(hex.EncodeToString(value) + "\n")
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	printed, _ := run(t, folder, environment, "-c", judge, file)
	got, want := strings.Fields(strings.ReplaceAll(printed, " ", "-")), verdicts(values)
	if len(got) != len(want) {
		t.Fatalf("it judges %d records of %d", len(got), len(want))
	}
	seen, wrong := map[string]int{}, 0
	for i, verdict := range want {
		seen[verdict]++
		if got[i] == strings.ReplaceAll(verdict, " ", "-") {
			continue
		}
		if wrong++; wrong <= 5 {
			var e schema.Event
			err := proto.Unmarshal(values[i], &e)
			t.Errorf("offset %d: it says %s, we %s: %.300v %v %.80x", i, got[i], verdict, &e, err, values[i])
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d verdicts differ", wrong, len(want))
	}
	t.Log(seen)
}
