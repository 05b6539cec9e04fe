package rpc

import (
	"bytes"
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/parley-chat/parley/schema/strict"
)

// Request is one frame from a client that is a JSON-RPC request or
// notification.
type Request struct {
	// ID as it was sent, null included; nil for a notification.
	ID     json.RawMessage
	Method string
	// Params is an object, or nil where the client sent none.
	Params json.RawMessage
}

// Notification reports whether the request is never answered.
func (r *Request) Notification() bool { return r.ID == nil }

type envelope struct {
	Version jsontext.Value `json:"jsonrpc"`
	ID      jsontext.Value `json:"id"`
	Method  jsontext.Value `json:"method"`
	Params  jsontext.Value `json:"params"`
}

var null = json.RawMessage("null")

// Parse reads a frame. With an error the request holds the id to answer to
// (null where it could not be read). What is wrong inside of params is left to
// Decode.
func Parse(frame []byte) (Request, *Error) {
	bad := Request{ID: null}
	var e envelope
	var wrong *strict.Error
	if err := strict.Unmarshal(frame, &e); errors.As(err, &wrong) {
		if wrong.Err == strict.ErrSyntax {
			return bad, &Error{Code: CodeParse, Message: "parse error: not JSON"}
		}
		if wrong = salvage(frame, &e, wrong); len(e.ID) > 0 && validID(e.ID) {
			bad.ID = json.RawMessage(e.ID)
		}
	}
	switch {
	case wrong != nil && wrong.Pointer == "" && wrong.Err == strict.ErrType:
		return bad, invalid("a request is a JSON object; batches are not accepted")
	case wrong != nil:
		return bad, invalid(wrong.Error())
	case len(e.ID) > 0 && !validID(e.ID):
		return bad, invalid("id must be a string, a number or null")
	case len(e.ID) > 0:
		bad.ID = json.RawMessage(e.ID)
	}
	r := Request{ID: json.RawMessage(e.ID), Params: json.RawMessage(e.Params)}
	if string(e.Version) != `"2.0"` {
		return bad, invalid(`jsonrpc must be "2.0"`)
	}
	method, err := jsontext.AppendUnquote(nil, e.Method)
	if err != nil {
		return bad, invalid("method must be a string")
	}
	r.Method = string(method)
	switch {
	case len(r.Params) == 0 || bytes.Equal(r.Params, null) || isEmptyArray(r.Params):
		r.Params = nil
	case r.Params[0] == '[':
		return r, InvalidParams("params", "must be named, in an object")
	case r.Params[0] != '{':
		return r, invalid("params must be an object")
	}
	return r, nil
}

// isEmptyArray reports whether a value is [], blanks included.
func isEmptyArray(v []byte) bool {
	return v[0] == '[' && len(bytes.TrimSpace(v[1:len(v)-1])) == 0
}

func validID(id []byte) bool {
	c := id[0]
	return c == '"' || c == '-' || (c >= '0' && c <= '9') || bytes.Equal(id, null)
}

func invalid(reason string) *Error {
	return &Error{Code: CodeInvalidRequest, Message: "invalid request: " + reason}
}

// Decode reads params into v, a pointer to one of the …Params types. Unknown
// fields are ignored, so that a newer client can talk to an older server; what
// package strict refuses is refused in them too.
func Decode(params json.RawMessage, v any) *Error {
	if params == nil {
		return nil
	}
	var wrong *strict.Error
	if !errors.As(strict.Unmarshal(params, v), &wrong) {
		return nil
	}
	field := wrong.Member()
	if field == "" || len(field) > maxField {
		field = "params"
	}
	return InvalidParams(field, wrong.Err.Error())
}

// maxField bounds the names of a client's own that errors repeat.
const maxField = 64

// AppendResult appends the response that carries result.
func AppendResult(b []byte, id json.RawMessage, result any) []byte {
	return AppendResponse(b, id, func(b []byte) []byte { return AppendJSON(b, result) })
}

// AppendResponse appends the response that carries the result that write appends.
func AppendResponse(b []byte, id json.RawMessage, write func([]byte) []byte) []byte {
	return append(write(appendHead(b, id, `,"result":`)), '}')
}

// AppendError appends the response that carries e.
func AppendError(b []byte, id json.RawMessage, e *Error) []byte {
	return append(AppendJSON(appendHead(b, id, `,"error":`), e), '}')
}

// appendHead appends what a response begins with, up to its result or error.
func appendHead(b []byte, id json.RawMessage, of string) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	return append(append(b, id...), of...)
}

// AppendPush appends a notification of the server.
func AppendPush(b []byte, method string, params any) []byte {
	b = append(b, `{"jsonrpc":"2.0","method":"`...)
	b = append(b, method...)
	b = append(b, `","params":`...)
	b = AppendJSON(b, params)
	return append(b, '}')
}

// AppendJSON appends v without escaping for HTML. v is one of this package's
// types, which always encode.
func AppendJSON(b []byte, v any) []byte {
	w := bytes.NewBuffer(b)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("rpc: a protocol type does not encode: " + err.Error())
	}
	return bytes.TrimSuffix(w.Bytes(), []byte("\n"))
}
