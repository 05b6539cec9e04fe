package pomelo

import (
	"encoding/json"
	"errors"
	"unicode/utf8"

	"github.com/parley-chat/parley/schema/rpc"
)

// Bits of a message's first byte.
const (
	coded     = 0x01 // the route is a code of a dictionary
	typeShift = 1
	typeMask  = 0x07
)

// Types of messages.
const (
	request  = 0
	notify   = 1
	response = 2
	push     = 3
)

// maxID is how many bytes an id has at most.
const maxID = 5

var (
	errMessage = errors.New("a message that ends too early")
	errID      = errors.New("an id of more than five bytes")
	errType    = errors.New("a message that is neither a request nor a notify")
)

// Request is what a client asks.
type Request struct {
	// ID is as it was sent, 1 to 5 bytes that are echoed and never read; nil: a
	// notify, which is never answered.
	ID []byte
	// Route is never empty where there is no error.
	Route string
	// Body is a JSON object in UTF-8, at least {}. It holds on to the package.
	Body json.RawMessage
}

// parseMessage reads the body of a data package. bad is the error to answer the
// request with; err means that the client does not speak the protocol.
func parseMessage(b []byte) (r Request, bad *rpc.Error, err error) {
	if len(b) == 0 {
		return r, nil, errMessage
	}
	flag := b[0]
	b = b[1:]
	switch flag >> typeShift & typeMask {
	case request:
		if r.ID, b, err = cutID(b); err != nil {
			return Request{}, nil, err
		}
	case notify:
	default:
		return r, nil, errType
	}
	route, b, err := cutRoute(b, flag&coded != 0)
	switch {
	case err != nil:
		return Request{}, nil, err
	case flag&coded != 0:
		return r, noRoute("routes have no codes here, because the handshake sends no dictionary"), nil
	case len(route) == 0 || !utf8.Valid(route):
		return r, noRoute("it needs a name in UTF-8"), nil
	}
	r.Route = string(route)
	if flag>>typeShift > typeMask {
		return r, invalid("a body is neither compressed nor an error"), nil
	}
	r.Body, bad = object(b)
	return r, bad, nil
}

// cutID cuts the id off, as bytes.
func cutID(b []byte) (id, rest []byte, err error) {
	for n := range b {
		switch {
		case n == maxID:
			return nil, nil, errID
		case b[n] < 0x80:
			return b[: n+1 : n+1], b[n+1:], nil
		}
	}
	return nil, nil, errMessage
}

// cutRoute cuts the route off: a name, or a code of two bytes.
func cutRoute(b []byte, coded bool) (route, rest []byte, err error) {
	n := 2
	if !coded {
		if len(b) == 0 {
			return nil, nil, errMessage
		}
		n, b = int(b[0]), b[1:]
	}
	if n > len(b) {
		return nil, nil, errMessage
	}
	return b[:n], b[n:], nil
}

// object reads a body; an empty one is an empty object.
func object(b []byte) (json.RawMessage, *rpc.Error) {
	if len(b) == 0 {
		return json.RawMessage("{}"), nil
	}
	text, ok := join(b)
	switch {
	case !ok:
		return nil, &rpc.Error{Code: rpc.CodeParse, Message: "parse error: the body is not UTF-8"}
	case !json.Valid(text):
		return nil, &rpc.Error{Code: rpc.CodeParse, Message: "parse error: the body is not JSON"}
	case !isObject(text):
		return nil, invalid("a body is a JSON object")
	}
	return text, nil
}

// isObject reports whether JSON is an object.
func isObject(text []byte) bool {
	for _, c := range text {
		switch c {
		case ' ', '\t', '\r', '\n':
		default:
			return c == '{'
		}
	}
	return false
}

func invalid(reason string) *rpc.Error {
	return &rpc.Error{Code: rpc.CodeInvalidRequest, Message: "invalid request: " + reason}
}

func noRoute(reason string) *rpc.Error {
	return &rpc.Error{Code: rpc.CodeNoMethod, Message: "no such route: " + reason}
}
