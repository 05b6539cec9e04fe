package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Lengths in bytes, and numbers, that the log accepts of what came with format 2.
const (
	MaxType      = 64 // of a message's type, and of a reaction's name
	MaxData      = 64 << 10
	MaxInfo      = 512
	MaxMentions  = 50
	MaxReason    = 512
	MaxKey       = 64 // of the name of a key of the API
	MaxTopic     = 256
	MaxTopicData = 1 << 10
)

// Bounds that connectors check before they publish; the fold evicts nothing but
// the oldest pin.
const (
	MaxChannelSanctions = 10_000
	MaxSanctions        = 200_000 // of a partition
	MaxSettings         = 100_000 // channels of a partition that have settings or pins
	MaxPins             = 50      // of a channel; one more drops the oldest
)

// format2 is the first format that has the kinds and the fields below.
const format2 = 2

// Needs is the lowest format in which the event may be. One that is in force
// below makes a reader stop: others would take it for something else.
func (e *Event) Needs() int32 {
	switch k := e.Kind.(type) {
	case *Event_Join:
		if len(k.Join.Info) > 0 {
			return format2
		}
	case *Event_Chat:
		c := k.Chat
		if len(c.Info) > 0 || c.Type != "" || len(c.Data) > 0 || c.Reply != 0 || len(c.Mentions) > 0 || c.Origin != 0 || c.Key != "" {
			return format2
		}
	case *Event_Leave:
		if k.Leave.Reason > Reason_REASON_TIMEOUT {
			return format2
		}
	case *Event_Change, *Event_Pin, *Event_Sanction, *Event_Purge, *Event_Set, *Event_Watch, *Event_Unwatch:
		return format2
	}
	return 1
}

// checkFormat2 checks the kinds that came with format 2.
func checkFormat2(e *Event) error {
	switch k := e.Kind.(type) {
	case *Event_Change:
		return errors.Join(checkOrigin(e), checkChange(k.Change))
	case *Event_Pin:
		p := k.Pin
		return errors.Join(checkOrigin(e), checkNames(p.Channel), checkAct(p.By, p.Id), checkTarget(p.Target))
	case *Event_Sanction:
		s := k.Sanction
		return errors.Join(checkOrigin(e), checkNames(s.Channel, s.User), checkAct(s.By, s.Id), checkLength("a reason", s.Reason, MaxReason), checkSince(s.GetPurgeSince()), checkSince(s.Until))
	case *Event_Purge:
		p := k.Purge
		return errors.Join(checkOrigin(e), checkNames(p.Channel, p.User), checkAct(p.By, p.Id), checkLength("a reason", p.Reason, MaxReason), checkSince(p.Since))
	case *Event_Set:
		s := k.Set
		return errors.Join(checkOrigin(e), checkNames(s.Channel), checkAct(s.By, s.Id), checkLength("a topic", s.GetTopic(), MaxTopic), checkJSON("data", s.Data, MaxTopicData), checkSince(s.GetSlow()))
	case *Event_Watch:
		return errors.Join(checkOrigin(e), checkNames(k.Watch.Channel), checkSession(k.Watch.Connector), checkPushPartition(k.Watch.PushPartition))
	case *Event_Unwatch:
		return errors.Join(checkOrigin(e), checkNames(k.Unwatch.Channel), checkSession(k.Unwatch.Connector))
	}
	return nil
}

func checkChange(c *Change) error {
	err := errors.Join(checkNames(c.Channel, c.User, c.Author), checkID(c.Id), checkTarget(c.Target), checkOptional(c.To), checkLength("a key", c.Key, MaxKey))
	switch act := c.Act.(type) {
	case *Change_Edit:
		if act.Edit.Body == "" || len(act.Edit.Body) > MaxBody {
			return errors.Join(err, errors.New("an edit without body, or with too long a one"))
		}
		return errors.Join(err, checkLength("a type", act.Edit.GetType(), MaxType), checkJSON("data", act.Edit.Data, MaxData))
	case *Change_Delete:
		return errors.Join(err, checkLength("a reason", act.Delete.Reason, MaxReason))
	case *Change_React:
		if act.React.Name == "" {
			return errors.Join(err, errors.New("a reaction without a name"))
		}
		return errors.Join(err, checkLength("a reaction", act.React.Name, MaxType))
	}
	return err // an act that is not known is newer
}

// checkStructure checks the fields of a chat that came with format 2.
func checkStructure(c *Chat) error {
	if len(c.Mentions) > MaxMentions {
		return fmt.Errorf("more than %d mentions", MaxMentions)
	}
	if c.Reply < 0 {
		return errors.New("an answer to a negative position")
	}
	return errors.Join(checkNames(c.Mentions...), checkLength("a type", c.Type, MaxType), checkJSON("data", c.Data, MaxData),
		checkJSON("info", c.Info, MaxInfo), checkLength("a key", c.Key, MaxKey))
}

// checkAct checks who acted, and the id of the act.
func checkAct(by *Author, id string) error {
	switch a := by.GetBy().(type) {
	case *Author_User:
		return errors.Join(checkNames(a.User), checkID(id))
	case *Author_Key:
		if a.Key != "" {
			return errors.Join(checkLength("a key", a.Key, MaxKey), checkID(id))
		}
	}
	return errors.New("an act of nobody")
}

func checkID(id string) error {
	if id == "" || len(id) > MaxID {
		return errors.New("an act without id, or with too long a one")
	}
	return nil
}

func checkTarget(seq int64) error {
	if seq < 1 {
		return errors.New("a change of no message")
	}
	return nil
}

func checkSince(n int64) error {
	if n < 0 {
		return errors.New("a negative position or time")
	}
	return nil
}

func checkOptional(name string) error {
	if name == "" {
		return nil
	}
	return checkNames(name)
}

func checkLength(what, text string, most int) error {
	if len(text) > most || !utf8.ValidString(text) {
		return fmt.Errorf("%s of more than %d bytes, or not of UTF-8", what, most)
	}
	return nil
}

// checkJSON checks the length of a JSON value that may be absent. Whether it is
// JSON does not count: no two libraries agree on that (depth, surrogates, NaN,
// long numbers, broken UTF-8), and readers must agree on what is corrupt.
func checkJSON(what string, value []byte, most int) error {
	if len(value) > most {
		return fmt.Errorf("%s of more than %d bytes", what, most)
	}
	return nil
}

// cleanJSON makes the JSON values of an event ones that can be embedded: what is
// not JSON becomes null, as docs/events.md says of readers.
func (e *Event) cleanJSON() {
	switch k := e.Kind.(type) {
	case *Event_Join:
		clean(&k.Join.Info)
	case *Event_Chat:
		clean(&k.Chat.Info)
		clean(&k.Chat.Data)
	case *Event_Change:
		if edit := k.Change.GetEdit(); edit != nil {
			clean(&edit.Data)
		}
	case *Event_Set:
		clean(&k.Set.Data)
	}
}

func clean(value *[]byte) {
	if len(*value) > 0 && !(utf8.Valid(*value) && json.Valid(*value)) {
		*value = []byte("null")
	}
}

// newerAct reports a change or a sanction of a kind that this binary does not
// know.
func (e *Event) newerAct() bool {
	switch k := e.Kind.(type) {
	case *Event_Change:
		return k.Change.Act == nil
	case *Event_Sanction:
		return k.Sanction.Action < Sanction_ACTION_MUTE || k.Sanction.Action > Sanction_ACTION_LIFT_BAN
	}
	return false
}
