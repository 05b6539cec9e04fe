package telemetry

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// complaintEvery bounds how often trouble with telemetry is logged.
const complaintEvery = time.Minute

// complaints are OpenTelemetry's own errors. They never stop the work:
// they are logged, once a minute at most. Only while the settings are read, the
// first one is kept as a reason not to start.
type complaints struct {
	log     *slog.Logger
	next    atomic.Int64 // Unix time in nanoseconds
	setUp   atomic.Bool  // the settings have been read
	refused atomic.Pointer[error]
}

// Handle implements otel.ErrorHandler.
func (c *complaints) Handle(err error) {
	now := time.Now()
	if next := c.next.Load(); now.UnixNano() >= next && c.next.CompareAndSwap(next, now.Add(complaintEvery).UnixNano()) {
		c.log.Warn("telemetry is lost", "error", err)
	}
}

// done ends the reading of the settings and returns what is wrong with them.
func (c *complaints) done() error {
	c.setUp.Store(true)
	if err := c.refused.Load(); err != nil {
		return fmt.Errorf("the OTEL_… variables cannot be used: %w", *err)
	}
	return nil
}

// sink is what OpenTelemetry logs to. It would write past our log, with the
// values of variables, which may be tokens. Its errors alone are passed on, and
// no value.
type sink struct{ *complaints }

// Error implements logr.LogSink.
func (s sink) Error(err error, message string, _ ...any) {
	var quoted *url.Error
	if errors.As(err, &quoted) {
		err = quoted.Err
	}
	err = fmt.Errorf("%s: %w", message, err)
	if s.setUp.Load() {
		s.Handle(err)
	} else {
		s.refused.CompareAndSwap(nil, &err)
	}
}

// Init implements logr.LogSink, and so do the others.
func (sink) Init(logr.RuntimeInfo)            {}
func (sink) Enabled(int) bool                 { return false }
func (sink) Info(int, string, ...any)         {}
func (s sink) WithValues(...any) logr.LogSink { return s }
func (s sink) WithName(string) logr.LogSink   { return s }
