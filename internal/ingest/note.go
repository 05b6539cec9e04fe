package ingest

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/eventlog"
)

// noteVersion is that of notes as they are written. Whoever reads a note looks for the
// commands that its owner may have had under way: as many as maxOpenEvents, maxOpenBytes
// and the weights of commands allow, under ids that it makes itself. Where any of these
// changes, so does the version, so that a program of before refuses the note;
// TestNotesStandForOneWay holds them together.
const noteVersion = "1"

// errNote is a note that this program cannot act on.
var errNote = errors.New("what was committed of the commands cannot be used")

// note is what is committed beside an offset: where the partitions of the events ended
// when nothing from that offset on had been appended.
type note struct {
	epoch string
	topic string  // of the commands; the offset is one of it
	ends  []int64 // by partition of the events
	// keys are the names in which the commands from that offset on may have acted.
	keys []string
}

// encode is the note as text of at most eventlog.MaxNote bytes.
func (n *note) encode() (string, error) {
	b := append([]byte(noteVersion+" "+n.epoch+" "+n.topic), ' ')
	for p, end := range n.ends {
		if p > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, end, 36)
	}
	b = append(b, ' ')
	for i, key := range n.keys {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, url.QueryEscape(key)...)
	}
	if len(b) > eventlog.MaxNote {
		return "", fmt.Errorf("%w: the ends of %d partitions and %d keys take %d bytes, and brokers keep %d: begin a new epoch with fewer partitions", errNote, len(n.ends), len(n.keys), len(b), eventlog.MaxNote)
	}
	return string(b), nil
}

// decodeNote reads a note. The error is an errNote.
func decodeNote(text string) (note, error) {
	fields := strings.Split(text, " ")
	if len(fields) != 5 || fields[0] != noteVersion {
		return note{}, fmt.Errorf("%w: another program, or a newer parley, has committed for the group: start that one, or choose another --group, which begins with the oldest command", errNote)
	}
	n := note{epoch: fields[1], topic: fields[2]}
	for _, field := range strings.Split(fields[3], ",") {
		end, err := strconv.ParseInt(field, 36, 64)
		if err != nil || end < 0 {
			return note{}, fmt.Errorf("%w: %q instead of an offset", errNote, field)
		}
		n.ends = append(n.ends, end)
	}
	for _, field := range strings.Split(fields[4], ",") {
		key, err := url.QueryUnescape(field)
		if err != nil {
			return note{}, fmt.Errorf("%w: %q instead of the name of a key", errNote, field)
		}
		n.keys = append(n.keys, key)
	}
	return n, nil
}
