package ingest

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/parley-chat/parley/internal/eventlog"
)

// noteVersion is that of notes as they are written. Another one stands for other
// bounds of what may be under way.
const noteVersion = "1"

// errNote is a note that this program cannot act on.
var errNote = errors.New("what was committed of the commands cannot be used")

// note is what is committed beside an offset: where the partitions of the events ended
// when nothing from that offset on had been appended.
type note struct {
	epoch string
	topic string  // of the commands; the offset is one of it
	ends  []int64 // by partition of the events
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
	if len(b) > eventlog.MaxNote {
		return "", fmt.Errorf("%w: the ends of %d partitions take %d bytes, and brokers keep %d: begin a new epoch with fewer partitions", errNote, len(n.ends), len(b), eventlog.MaxNote)
	}
	return string(b), nil
}

// decodeNote reads a note. The error is an errNote.
func decodeNote(text string) (note, error) {
	fields := strings.Split(text, " ")
	if len(fields) != 4 || fields[0] != noteVersion {
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
	return n, nil
}
