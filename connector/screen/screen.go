// Package screen asks a program of the operator's, by HTTP, whether a text may be
// published, before it is in the log: --before-chat.
package screen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/sony/gobreaker/v2"
	"golang.org/x/sync/semaphore"
	"golang.org/x/time/rate"

	"github.com/parley-chat/parley/internal/webhook"
	"github.com/parley-chat/parley/schema/rpc"
	"github.com/parley-chat/parley/schema/strict"
)

const (
	// concurrent is how many questions are under way at once; others wait as long as
	// an answer may take.
	concurrent = 256
	// failuresInARow open the circuit: nothing is asked for the time of rest, then one
	// question tries.
	failuresInARow = 20
	rest           = 5 * time.Second
	maxReason      = 200 // bytes, as of what moderators give
	tellEvery      = 10 * time.Second
)

// Config is whom to ask.
type Config struct {
	Receiver webhook.Receiver
	// FailOpen publishes what nobody could be asked about; else it is answered with
	// 1007.
	FailOpen bool
	Log      *slog.Logger
}

// Screen asks. A nil Screen does not. Safe for concurrent use.
type Screen struct {
	sender  *webhook.Sender
	open    bool
	turns   *semaphore.Weighted
	breaker *gobreaker.CircuitBreaker[Verdict]
	log     *slog.Logger
	tell    rate.Sometimes // why there was no answer
}

// New checks a configuration; its errors say what to do.
func New(cfg Config) (*Screen, error) {
	sender, err := webhook.NewSender(cfg.Receiver)
	if err != nil {
		return nil, err
	}
	s := &Screen{sender: sender, open: cfg.FailOpen, turns: semaphore.NewWeighted(concurrent), log: cfg.Log, tell: rate.Sometimes{Interval: tellEvery}}
	s.breaker = gobreaker.NewCircuitBreaker[Verdict](gobreaker.Settings{
		Name: "before-chat", MaxRequests: 1, Timeout: rest,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= failuresInARow },
		// A session that has ended says nothing of the program.
		IsExcluded: func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				cfg.Log.Error("the program of --before-chat failed 20 times in a row: it is asked every 5 s until it answers", "fails", fails(cfg.FailOpen))
			case to == gobreaker.StateClosed:
				cfg.Log.Info("the program of --before-chat answers again")
			}
		},
	})
	return s, nil
}

func fails(open bool) string {
	if open {
		return "open"
	}
	return "closed"
}

// Close closes the connections that are idle.
func (s *Screen) Close() {
	if s != nil {
		s.sender.Close()
	}
}

// FailsOpen reports whether to publish what nobody could be asked about.
func (s *Screen) FailsOpen() bool { return s.open }

// Question is what is asked about. It is also what is sent.
type Question struct {
	Kind     string          `json:"kind"` // chat or edit
	Channel  string          `json:"channel"`
	User     string          `json:"user"`
	Info     json.RawMessage `json:"info,omitempty"` // what the user's token tells of them
	ID       string          `json:"id"`
	Retry    bool            `json:"retry,omitempty"` // it was sent before
	To       string          `json:"to,omitempty"`    // of a private message
	Seq      int64           `json:"seq,omitempty"`   // of an edit: the message
	Epoch    string          `json:"epoch,omitempty"` // of an edit, where it is not the current one
	Body     string          `json:"body"`
	Type     string          `json:"type,omitempty"`
	Data     json.RawMessage `json:"data,omitempty"`
	Reply    int64           `json:"reply,omitempty"`
	Mentions []string        `json:"mentions,omitempty"`
}

// Verdict is an answer: one of its fields is set.
type Verdict struct {
	Allow   bool     `json:"allow"`
	Replace *Replace `json:"replace"`
	Deny    *Deny    `json:"deny"`
}

// Replace is what to publish instead.
type Replace struct {
	Body *string         `json:"body"` // nil: as it is
	Data json.RawMessage `json:"data"` // nil: as it is; null: without
}

// Deny refuses a text.
type Deny struct {
	Reason string `json:"reason"` // for its author
}

// Outcomes of a question, as the metric has them.
const (
	Allowed  = "allow"
	Replaced = "replace"
	Denied   = "deny"
	Failed   = "failed"  // no answer, or none that can be used
	Skipped  = "skipped" // not asked: the circuit is open, or too much is being asked
)

// Outcomes are all there are.
var Outcomes = []string{Allowed, Replaced, Denied, Failed, Skipped}

// Outcome names what an answer says.
func (v Verdict) Outcome() string {
	switch {
	case v.Replace != nil:
		return Replaced
	case v.Deny != nil:
		return Denied
	}
	return Allowed
}

// Ask asks, and waits for the answer at most as long as one may take. fits is what an
// answer must be beside its form. Where err is not nil, the outcome is Failed or
// Skipped.
func (s *Screen) Ask(ctx context.Context, q Question, fits func(Verdict) *rpc.Error) (v Verdict, outcome string, err error) {
	within, cancel := context.WithTimeout(ctx, s.sender.Timeout)
	defer cancel()
	if err := s.turns.Acquire(within, 1); err != nil {
		return Verdict{}, Skipped, fmt.Errorf("too much is being asked: %w", err)
	}
	defer s.turns.Release(1)
	body, err := write(&q) // in its turn: it may be six times as long as the text
	if err != nil {
		return Verdict{}, Failed, fmt.Errorf("a question cannot be written: %w", err)
	}
	v, err = s.breaker.Execute(func() (Verdict, error) { return s.ask(within, body) })
	if err == nil {
		// Of this text alone: it says nothing of the program, so it does not count there.
		if bad := fits(v); bad != nil {
			err = fmt.Errorf("the program of --before-chat answered with what cannot be published: %w", bad)
		}
	}
	switch {
	case errors.Is(err, gobreaker.ErrOpenState), errors.Is(err, gobreaker.ErrTooManyRequests):
		return Verdict{}, Skipped, err
	case errors.Is(err, context.Canceled):
		return Verdict{}, Failed, err
	case err != nil:
		s.tell.Do(func() {
			s.log.Warn("the program of --before-chat gave no answer that can be used", "error", err, "fails", fails(s.open))
		})
		return Verdict{}, Failed, err
	}
	return v, v.Outcome(), nil
}

// write writes a question as it is sent: < and the like as they are, not as six bytes.
func write(q *Question) ([]byte, error) {
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	err := out.Encode(q)
	return text.Bytes(), err
}

func (s *Screen) ask(ctx context.Context, body []byte) (Verdict, error) {
	answer, _, err := s.sender.Ask(ctx, "msg_"+ulid.Make().String(), body)
	if err != nil {
		if ctx.Err() == context.Canceled {
			return Verdict{}, context.Canceled
		}
		return Verdict{}, err
	}
	return parse(answer)
}

var errForm = errors.New(`the program of --before-chat did not answer with one of {"allow": true}, {"replace": {"body": "…"}} and {"deny": {"reason": "…"}}`)

// parse reads an answer.
func parse(answer []byte) (v Verdict, err error) {
	if len(answer) > webhook.MaxAnswer {
		return Verdict{}, fmt.Errorf("the program of --before-chat answered with more than %d bytes", webhook.MaxAnswer)
	}
	if err := strict.Unmarshal(answer, &v); err != nil {
		return Verdict{}, errForm
	}
	said := 0
	for _, is := range []bool{v.Allow, v.Replace != nil, v.Deny != nil} {
		if is {
			said++
		}
	}
	if said != 1 || v.Replace != nil && v.Replace.Body == nil && v.Replace.Data == nil || v.Deny != nil && len(v.Deny.Reason) > maxReason {
		return Verdict{}, errForm
	}
	return v, nil
}
