package rpc

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
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
	Version json.RawMessage `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Method  json.RawMessage `json:"method"`
	Params  json.RawMessage `json:"params"`
}

var null = json.RawMessage("null")

// Parse reads a frame. With an error the request holds the id to answer to
// (null where it could not be read).
func Parse(frame []byte) (Request, *Error) {
	bad := Request{ID: null}
	if !json.Valid(frame) {
		return bad, &Error{Code: CodeParse, Message: "parse error: not JSON"}
	}
	var e envelope
	if err := unmarshal(frame, &e); err != nil {
		return bad, invalid("a request is a JSON object; batches are not accepted")
	}
	switch {
	case len(e.ID) > 0 && !validID(e.ID):
		return bad, invalid("id must be a string, a number or null")
	case len(e.ID) > 0:
		bad.ID = e.ID
	}
	r := Request{ID: e.ID, Params: e.Params}
	if string(e.Version) != `"2.0"` {
		return bad, invalid(`jsonrpc must be "2.0"`)
	}
	if len(e.Method) == 0 || e.Method[0] != '"' || json.Unmarshal(e.Method, &r.Method) != nil {
		return bad, invalid("method must be a string")
	}
	switch {
	case len(r.Params) == 0 || bytes.Equal(r.Params, null) || bytes.Equal(r.Params, []byte("[]")):
		r.Params = nil
	case r.Params[0] == '[':
		return r, InvalidParams("params", "must be named, in an object")
	case r.Params[0] != '{':
		return r, invalid("params must be an object")
	}
	return r, nil
}

func validID(id json.RawMessage) bool {
	c := id[0]
	return c == '"' || c == '-' || (c >= '0' && c <= '9') || bytes.Equal(id, null)
}

func invalid(reason string) *Error {
	return &Error{Code: CodeInvalidRequest, Message: "invalid request: " + reason}
}

// Decode reads params into v, a pointer to one of the …Params types. Unknown
// fields are ignored, so that a newer client can talk to an older server. Names
// are compared byte for byte.
func Decode(params json.RawMessage, v any) *Error {
	if params == nil {
		return nil
	}
	err := unmarshal(params, v)
	var wrong *json.UnmarshalTypeError
	switch {
	case err == nil:
		if field := brokenText(params, v); field != "" {
			return InvalidParams(field, "must be Unicode text: it holds half of a surrogate pair")
		}
		return nil
	case errors.As(err, &wrong) && wrong.Field != "":
		return InvalidParams(wrong.Field[strings.LastIndex(wrong.Field, ".")+1:], "must be "+kindOf(wrong))
	default:
		return InvalidParams("params", "cannot be read")
	}
}

func kindOf(e *json.UnmarshalTypeError) string {
	switch e.Type.Kind().String() {
	case "string":
		return "a string"
	case "int", "int64":
		return "an integer"
	default:
		return "of another type"
	}
}

// AppendResult appends the response that carries result.
func AppendResult(b []byte, id json.RawMessage, result any) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"result":`...)
	b = AppendJSON(b, result)
	return append(b, '}')
}

// AppendError appends the response that carries e.
func AppendError(b []byte, id json.RawMessage, e *Error) []byte {
	b = append(b, `{"jsonrpc":"2.0","id":`...)
	b = append(b, id...)
	b = append(b, `,"error":`...)
	b = AppendJSON(b, e)
	return append(b, '}')
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
