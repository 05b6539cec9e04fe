package signals

import (
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/schema"
)

// Sent is a signal, and the value of its record.
type Sent struct {
	*schema.Signal
	Value []byte
}

// Newest decodes signals, and leaves out those that a newer one of the same user and
// name in the same channel follows. It counts these, and what is corrupt, as dropped.
func Newest(records []eventlog.Record) (all []Sent, dropped int) {
	type key struct{ channel, user, name string }
	seen := make(map[key]int, len(records))
	for i := range records {
		s, err := schema.DecodeSignal(records[i].Value)
		if err != nil {
			dropped++
			continue
		}
		k := key{s.Channel, s.User, s.Name}
		if at, again := seen[k]; again {
			all[at] = Sent{s, records[i].Value}
			dropped++
			continue
		}
		seen[k] = len(all)
		all = append(all, Sent{s, records[i].Value})
	}
	return all, dropped
}
