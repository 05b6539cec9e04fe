package schema

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// Lengths of signals in bytes.
const (
	MaxSignalName = 64
	MaxSignalData = 1 << 10
)

// DecodeSignal reads the value of a record of parley.signals or parley.signalpush. The
// error is ErrCorrupt. In the signal, data is empty or valid JSON.
func DecodeSignal(value []byte) (*Signal, error) {
	s := new(Signal)
	if err := proto.Unmarshal(value, s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	err := errors.Join(checkNames(s.Channel, s.User), checkLength("a signal's name", s.Name, MaxSignalName),
		checkJSON("data", s.Data, MaxSignalData))
	if err == nil && s.Name == "" {
		err = errors.New("a signal without a name")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	clean(&s.Data)
	return s, nil
}
