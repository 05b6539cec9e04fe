package stack

import (
	"context"
	"errors"
	"fmt"
)

// errEnded reports a part that ended although it was not stopped.
var errEnded = errors.New("it ended on its own")

// watch makes the end of a server the stack's failure, until the stack stops.
func (s *Stack) watch(part string, ended <-chan struct{}) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-ended:
			s.fail(fmt.Errorf("%s: %w", part, errEnded))
		case <-over:
		}
	}()
	s.onStop(part+"'s watch", func(context.Context) error {
		close(over)
		<-done
		return nil
	})
}

// run runs a component in a goroutine of its own until the stack stops.
func (s *Stack) run(part string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		err := run(ctx)
		if ctx.Err() == nil {
			if err == nil {
				err = errEnded
			}
			err = fmt.Errorf("%s: %w", part, err)
			s.fail(err)
		}
		done <- err
	}()
	s.onStop(part, func(stop context.Context) error {
		cancel()
		select {
		case err := <-done:
			if s.Err() != nil && errors.Is(err, s.Err()) {
				return nil // reported as the failure already
			}
			return err
		case <-stop.Done():
			return fmt.Errorf("it is still stopping: %w", stop.Err())
		}
	})
}
