package strict_test

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"testing"

	"github.com/parley-chat/parley/schema/strict"
)

func TestWhatIsWrongIsNamed(t *testing.T) {
	type target struct {
		Text   string   `json:"text"`
		Number int64    `json:"number"`
		List   []string `json:"list"`
	}
	for _, c := range []struct {
		text, pointer string
		err           error
	}{
		{`{"text":"a","number":1,"list":["a"],"Text":7,"other":null}`, "", nil},
		{`{"text":null,"number":null}`, "", nil},
		{``, "", strict.ErrSyntax},
		{`{`, "", strict.ErrSyntax},
		{`{}{}`, "", strict.ErrSyntax},
		{`{"text":"a",}`, "", strict.ErrSyntax},
		{"\xef\xbb\xbf{}", "", strict.ErrSyntax},
		{`{"text":7,`, "", strict.ErrSyntax},
		{`[]`, "", strict.ErrType},
		{`{"text":7}`, "/text", strict.ErrString},
		{`{"number":"7"}`, "/number", strict.ErrInteger},
		{`{"number":7.5}`, "/number", strict.ErrInteger},
		{`{"list":["a",7]}`, "/list/1", strict.ErrString},
		{`{"list":{}}`, "/list", strict.ErrType},
		{`{"text":"a","text":"a"}`, "/text", strict.ErrDuplicate},
		{`{"other":[0,{"a":1,"\u0061":2}]}`, "/other/1/a", strict.ErrDuplicate},
		{`{"text":"\ud800"}`, "/text", strict.ErrUnicode},
		{`{"text":"\ude00\ud83d"}`, "/text", strict.ErrUnicode},
		{"{\"text\":\"\xc3\"}", "/text", strict.ErrUnicode},
	} {
		var v target
		err := strict.Unmarshal([]byte(c.text), &v)
		var wrong *strict.Error
		if !errors.Is(err, c.err) || err != nil && (!errors.As(err, &wrong) || wrong.Pointer != c.pointer) {
			t.Errorf("%s: %v, want %v at %q", c.text, err, c.err, c.pointer)
		}
	}
}

// Numbers are decoded as by exact arithmetic.
func FuzzIntegers(f *testing.F) {
	for _, text := range []string{"50.0", "5e1", "-0.0", "1e999999999", "0e99999999999999999999", "1e-99999999999999999999", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
		"0.000000000000000000000000000001e30", "92233720368547758070e-1", "1.5", "100000000000000000000000e-23"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var n int64
		err := strict.Unmarshal([]byte(text), &n)
		if err != nil && !errors.Is(err, strict.ErrInteger) || text == "null" {
			return // no number
		}
		if len(text) > 50 {
			return
		}
		if f, parse := strconv.ParseFloat(text, 64); parse != nil || f != 0 && (math.Abs(f) > 1e30 || math.Abs(f) < 1e-30) {
			if f != 0 && err == nil {
				t.Errorf("%s is taken as %d", text, n)
			}
			return
		}
		exact, ok := new(big.Rat).SetString(text)
		if !ok {
			return // no number either
		}
		if fits := exact.IsInt() && exact.Num().IsInt64(); fits != (err == nil) || fits && exact.Num().Int64() != n {
			t.Errorf("%s: %d, %v", text, n, err)
		}
	})
}
