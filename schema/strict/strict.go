// Package strict reads JSON that comes from outside (RFC 8259), and takes it in
// one way alone: names are compared byte for byte, a name that an object has
// twice and text that is not Unicode are refused, an integer is one however it
// is written. Members that v has no field for are ignored.
package strict

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how deep arrays and objects may be nested.
const MaxDepth = 10_000

// What may be wrong with JSON; an *Error wraps one of them.
var (
	ErrSyntax    = errors.New("is not JSON")
	ErrDepth     = errors.New("is nested too deeply")
	ErrDuplicate = errors.New("is given twice")
	ErrUnicode   = errors.New("must be Unicode text: it holds half of a surrogate pair, or bytes that are not UTF-8")
	ErrString    = errors.New("must be a string")
	ErrInteger   = errors.New("must be an integer")
	ErrType      = errors.New("is of another type")
)

// Error says what is wrong with a text, and where. It quotes no value.
type Error struct {
	// Pointer names the value (RFC 6901); "" for the text as a whole.
	Pointer string
	Err     error
}

func (e *Error) Error() string {
	if e.Pointer == "" {
		return "it " + e.Err.Error()
	}
	return strings.TrimPrefix(e.Pointer, "/") + " " + e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Member is the name of the outermost object's member that the value is, or is
// in; "" for the text as a whole.
func (e *Error) Member() string {
	for name := range jsontext.Pointer(e.Pointer).Tokens() {
		return name
	}
	return ""
}

var (
	exact   = json.WithUnmarshalers(json.JoinUnmarshalers(json.UnmarshalFromFunc(readInt), json.UnmarshalFromFunc(readInt64)))
	lenient = jsontext.AllowInvalidUTF8(true)
	twice   = jsontext.AllowDuplicateNames(true)
)

// Unmarshal reads one JSON value into v, a pointer. Its error is an *Error. It
// may be called concurrently.
func Unmarshal(text []byte, v any) error {
	err := json.Unmarshal(text, v, exact)
	if err == nil {
		return nil
	}
	// What is wrong with the form of the text comes first, wherever it is.
	if at, broken := brokenAt(text); broken {
		if strings.Count(string(at), "/") >= MaxDepth {
			return &Error{Err: ErrDepth}
		}
		return &Error{Err: ErrSyntax}
	}
	var syntactic *jsontext.SyntacticError
	var semantic *json.SemanticError
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName) && errors.As(err, &syntactic):
		return &Error{string(syntactic.JSONPointer), ErrDuplicate}
	case errors.As(err, &syntactic):
		return &Error{string(syntactic.JSONPointer), ErrUnicode}
	case errors.As(err, &semantic):
		return &Error{string(semantic.JSONPointer), wanted(semantic)}
	}
	return &Error{Err: ErrType}
}

// brokenAt distinguishes a text that is not JSON, or too deep, from one that is.
func brokenAt(text []byte) (at jsontext.Pointer, broken bool) {
	d := jsontext.NewDecoder(bytes.NewReader(text), lenient, twice)
	err := d.SkipValue()
	if err == nil {
		_, err = d.ReadToken() // nothing may follow
		return "", err != io.EOF
	}
	var syntactic *jsontext.SyntacticError
	if errors.As(err, &syntactic) {
		at = syntactic.JSONPointer
	}
	return at, true
}

func wanted(e *json.SemanticError) error {
	switch {
	case errors.Is(e, ErrInteger):
		return ErrInteger
	case e.GoType != nil && e.GoType.Kind() == reflect.String:
		return ErrString
	}
	return ErrType
}
