package tracing

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strconv"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/segmentio/kafka-go"
	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// failure returns the kind of error err is, and nothing of its text: the code of
// the server that answered with it, timeout, connection, or its type in Go
// where that is informative.
func failure(err error) []attribute.KeyValue {
	var own interface{ ErrorType() string }
	var exception *clickhouse.Exception
	var refusal kafka.Error
	var timeout net.Error
	var broken *net.OpError
	switch {
	case errors.As(err, &own):
		return []attribute.KeyValue{semconv.ErrorTypeKey.String(own.ErrorType())}
	case errors.As(err, &exception):
		code := strconv.Itoa(int(exception.Code))
		return []attribute.KeyValue{semconv.ErrorTypeKey.String(code), semconv.DBResponseStatusCode(code)}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return []attribute.KeyValue{semconv.ErrorTypeKey.String("timeout")}
	case errors.As(err, &refusal):
		return []attribute.KeyValue{semconv.ErrorTypeKey.String(refusal.Title())}
	case errors.As(err, &broken), errors.Is(err, net.ErrClosed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return []attribute.KeyValue{semconv.ErrorTypeKey.String("connection")}
	}
	if of := reflect.TypeOf(leaf(err)); of.String() != "*errors.errorString" {
		return []attribute.KeyValue{semconv.ErrorTypeKey.String(of.String())}
	}
	return []attribute.KeyValue{semconv.ErrorTypeOther}
}

// leaf is the first error at the bottom of those that err wraps.
func leaf(err error) error {
	for {
		var inner error
		switch wrapping := err.(type) {
		case interface{ Unwrap() error }:
			inner = wrapping.Unwrap()
		case interface{ Unwrap() []error }:
			if all := wrapping.Unwrap(); len(all) > 0 {
				inner = all[0]
			}
		}
		if inner == nil {
			return err
		}
		err = inner
	}
}
