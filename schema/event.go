package schema

import (
	"errors"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// NewestFormat is the newest format of the log that this binary understands.
const NewestFormat = 2

// ErrCorrupt marks a record that is not an event. Every consumer counts it, logs
// its position and continues after it, all in the same way.
var ErrCorrupt = errors.New("corrupt record")

// NewerError is an event kind or a format that this binary does not know, or an
// event whose format is not in force yet. A consumer stops on it: to skip it
// would make its state differ from others'.
type NewerError struct {
	// What is newer, such as "event kind" or "format".
	What   string
	Number int32
	// InForce is the format in force, where the event is newer than that and this
	// binary knows it.
	InForce int32
}

func (e *NewerError) Error() string {
	if e.InForce != 0 {
		return fmt.Sprintf("the log holds %s %d where format %d is in force, which no parley writes: find what else writes to %s, then begin a new epoch with `parley epoch new`", e.What, e.Number, e.InForce, TopicEvents)
	}
	return fmt.Sprintf("the log holds %s %d, which this version of parley (format %d) does not know: start a newer parley", e.What, e.Number, NewestFormat)
}

// Field numbers of Event that are kept for kinds.
const (
	firstKind = 16
	lastKind  = 63
)

// DecodeEvent reads the value of a record of parley.events. The error is
// ErrCorrupt or a *NewerError. It is a pure function of the value. In the event,
// info and data are empty or valid JSON.
func DecodeEvent(value []byte) (*Event, error) {
	e := new(Event)
	if err := proto.Unmarshal(value, e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if e.Kind == nil {
		if n := unknownKind(e.ProtoReflect().GetUnknown()); n != 0 {
			return nil, &NewerError{What: "event kind", Number: n}
		}
		return nil, fmt.Errorf("%w: an event without a kind", ErrCorrupt)
	}
	if err := checkEvent(e); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	if n := e.newerFormat(); n != 0 {
		return nil, &NewerError{What: "format", Number: n}
	}
	if e.newerAct() {
		return nil, &NewerError{What: "act of a format above", Number: NewestFormat}
	}
	e.cleanJSON()
	return e, nil
}

func (e *Event) newerFormat() int32 {
	n := max(e.GetMarker().GetFormat(), e.GetFormat().GetNumber())
	if n > NewestFormat {
		return n
	}
	return 0
}

// unknownKind returns the number of the first field kept for kinds, or 0.
func unknownKind(b []byte) int32 {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeField(b)
		if n < 0 {
			return 0
		}
		if num >= firstKind && num <= lastKind && typ == protowire.BytesType {
			return int32(num)
		}
		b = b[n:]
	}
	return 0
}

func checkEvent(e *Event) error {
	switch k := e.Kind.(type) {
	case *Event_Join:
		return errors.Join(checkOrigin(e), checkNames(k.Join.Channel, k.Join.User), checkSession(k.Join.Session), checkPushPartition(k.Join.PushPartition), checkJSON("info", k.Join.Info, MaxInfo))
	case *Event_Leave:
		return errors.Join(checkOrigin(e), checkNames(k.Leave.Channel, k.Leave.User), checkSession(k.Leave.Session))
	case *Event_Chat:
		return errors.Join(checkOrigin(e), checkNames(k.Chat.Channel, k.Chat.User), checkChat(k.Chat), checkStructure(k.Chat))
	case *Event_Down:
		return checkSession(k.Down.Connector)
	case *Event_Marker:
		if k.Marker.Epoch == "" || k.Marker.Format < 1 || k.Marker.Window < 1 {
			return errors.New("a marker without epoch, format or window")
		}
	case *Event_Format:
		if k.Format.Number < 1 {
			return errors.New("a format below 1")
		}
	}
	return checkFormat2(e)
}

func checkOrigin(e *Event) error {
	if e.Connector == "" || len(e.Connector) > MaxID || e.Counter == 0 {
		return errors.New("an event without its connector and counter")
	}
	return nil
}

func checkSession(s string) error {
	if s == "" || len(s) > MaxID || strings.Contains(s, "/") {
		return errors.New("a session or connector id that is empty, too long or has a slash")
	}
	return nil
}

func checkPushPartition(p int32) error {
	if p < 0 {
		return errors.New("a negative push partition")
	}
	return nil
}

func checkChat(c *Chat) error {
	if c.Id == "" || len(c.Id) > MaxID || c.Body == "" || len(c.Body) > MaxBody {
		return errors.New("a chat without id or body, or with too long a one")
	}
	if c.To != "" {
		return checkNames(c.To)
	}
	return nil
}

// Channel is the channel that the event is about; "" for marker, format, down.
func (e *Event) Channel() string {
	switch k := e.Kind.(type) {
	case *Event_Join:
		return k.Join.Channel
	case *Event_Leave:
		return k.Leave.Channel
	case *Event_Chat:
		return k.Chat.Channel
	case *Event_Change:
		return k.Change.Channel
	case *Event_Pin:
		return k.Pin.Channel
	case *Event_Sanction:
		return k.Sanction.Channel
	case *Event_Purge:
		return k.Purge.Channel
	case *Event_Set:
		return k.Set.Channel
	case *Event_Watch:
		return k.Watch.Channel
	case *Event_Unwatch:
		return k.Unwatch.Channel
	}
	return ""
}
