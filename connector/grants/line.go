package grants

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json/jsontext"
)

// brokenLine is the line in which a text stops being JSON, or JSON that the
// options allow.
func brokenLine(text []byte, allow ...jsontext.Options) int {
	text = bytes.TrimRight(text, " \t\r\n") // an end that is missing is missing there
	d := jsontext.NewDecoder(bytes.NewReader(text), allow...)
	err := d.SkipValue()
	if err == nil {
		_, err = d.ReadToken() // nothing may follow
	}
	var broken *jsontext.SyntacticError
	if errors.As(err, &broken) {
		return lineAt(text, broken.ByteOffset)
	}
	return lineAt(text, d.InputOffset())
}

// lineOf is the line of the value that a pointer names, or of the object or list
// that it should be in.
func lineOf(text []byte, wanted jsontext.Pointer) int {
	d := jsontext.NewDecoder(bytes.NewReader(text))
	nearest, at := -1, int64(0)
	for nearest < len(wanted) {
		if _, err := d.ReadToken(); err != nil {
			break
		}
		if here := d.StackPointer(); here.Contains(wanted) && len(here) > nearest {
			nearest, at = len(here), d.InputOffset()
		}
	}
	return lineAt(text, at)
}

func lineAt(text []byte, offset int64) int {
	return 1 + bytes.Count(text[:min(offset, int64(len(text)))], []byte("\n"))
}
