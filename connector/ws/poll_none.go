//go:build !linux || parknever

package ws

import "errors"

// canPoll is false where nothing is ever parked.
const canPoll = false

type poll struct{}

func newPoll() (*poll, error) { return nil, errors.ErrUnsupported }

func (*poll) add(*line, int32) error { return errors.ErrUnsupported }

func (*poll) run(func([]int32)) {}

func (*poll) close() {}
