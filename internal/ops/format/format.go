// Package format shows and raises the format of the log: the number that
// governs what events mean. It is in force from a format event on, in each
// partition, and every role must know it.
package format

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/schema"
)

// Status is what is known of a log's format.
type Status struct {
	// Format is in force in every partition.
	Format int32 `json:"format"`
	// Raising is the format of a raise that was started and not completed;
	// otherwise 0.
	Raising int32 `json:"raising,omitempty"`
	// Unpublished: the raise to Format is complete, and parley.rules does not say so:
	// a connector learns of it with the next push of each partition only.
	Unpublished bool `json:"unpublished,omitempty"`
	// Known is the newest format that this program knows.
	Known int32 `json:"known"`
	// Roles that run, and what they know.
	Roles []roles.Role `json:"roles"`

	epoch string // of the log
}

// Inspect finds out which format is in force, and what the roles that run know.
func Inspect(ctx context.Context, kafka *eventlog.Client) (Status, error) {
	s := Status{Known: schema.NewestFormat}
	log, err := epoch.Inspect(ctx, kafka)
	if err != nil {
		return s, err
	}
	raised, err := epoch.Raised(ctx, kafka)
	if err != nil {
		return s, err
	}
	s.Format, s.epoch = log.Format, log.Epoch
	switch {
	case !raised.GetDone():
		s.Raising = raised.GetNumber()
	case raised.Number > s.Format:
		s.Format = raised.Number
		known, err := Published(ctx, kafka, log.Epoch)
		if err != nil {
			return s, err
		}
		s.Unpublished = known < s.Format
	}
	s.Roles, err = roles.Find(ctx, kafka)
	return s, err
}

// Check returns why a raise to number would be refused; nil when it would not,
// or when there is nothing to raise.
func Check(ctx context.Context, kafka *eventlog.Client, number int32) error {
	s, err := Inspect(ctx, kafka)
	if err != nil || number == s.Format && s.Raising == 0 || number == s.Raising {
		return err
	}
	return s.check(number)
}

// ErrOlderRoles refuses a raise because roles run that do not know the format.
var ErrOlderRoles = errors.New("roles run that do not know it")

// check refuses a raise that cannot be.
func (s *Status) check(number int32) error {
	switch {
	case number > s.Known:
		return fmt.Errorf("format %d is not known to this parley, whose newest is %d: run the command of a newer one", number, s.Known)
	case number < s.Format:
		return fmt.Errorf("the log is already in format %d: a format is never lowered", s.Format)
	case number < s.Raising:
		return fmt.Errorf("a raise to format %d was started: complete it with `parley format raise %d`", s.Raising, s.Raising)
	}
	return s.checkRoles(number)
}

func (s *Status) checkRoles(number int32) error {
	var older []string
	for _, r := range s.Roles {
		if r.Format < number {
			older = append(older, fmt.Sprintf("%v (format %d)", r, r.Format))
		}
	}
	if len(older) == 0 {
		return nil
	}
	return fmt.Errorf("the log cannot be raised to format %d: %w: %s; replace them by newer ones and try again (one that was killed counts for some 10 s)",
		number, ErrOlderRoles, strings.Join(older, ", "))
}
