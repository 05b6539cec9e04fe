package strict

import (
	"bytes"
	"math"
	"strconv"

	"github.com/go-json-experiment/json/jsontext"
)

func readInt(d *jsontext.Decoder, n *int) error {
	var wide int64
	err := readInt64(d, &wide)
	if err == nil && (wide > math.MaxInt || wide < math.MinInt) {
		return ErrInteger
	}
	*n = int(wide)
	return err
}

func readInt64(d *jsontext.Decoder, n *int64) error {
	v, err := d.ReadValue()
	switch {
	case err != nil:
		return err
	case v.Kind() == 'n':
		*n = 0
		return nil
	case v.Kind() != '0':
		return ErrInteger
	}
	if *n, err = strconv.ParseInt(string(v), 10, 64); err == nil {
		return nil
	}
	*n, err = integer(v)
	return err
}

// integer reads a number that has a fraction or an exponent and is an integer
// all the same, as 50.0 and 5e1 are. There is no rounding.
func integer(number []byte) (int64, error) {
	digits, negative := bytes.CutPrefix(number, []byte("-"))
	exponent := 0
	if at := bytes.IndexAny(digits, "eE"); at >= 0 {
		e, err := strconv.Atoi(string(digits[at+1:]))
		if err != nil { // of more digits than matter
			e = math.MaxInt32
			if digits[at+1] == '-' {
				e = math.MinInt32
			}
		}
		digits, exponent = digits[:at], max(math.MinInt32, min(math.MaxInt32, e))
	}
	whole, fraction, _ := bytes.Cut(digits, []byte("."))
	point := len(whole) + exponent // among all digits
	all := append(bytes.Clone(whole), fraction...)
	significant := bytes.TrimLeft(all, "0")
	point -= len(all) - len(significant)
	significant = bytes.TrimRight(significant, "0")
	switch {
	case len(significant) == 0:
		return 0, nil
	case point < len(significant) || point > len("9223372036854775808"):
		return 0, ErrInteger
	}
	text := string(significant) + string(bytes.Repeat([]byte("0"), point-len(significant)))
	if negative {
		text = "-" + text
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, ErrInteger
	}
	return n, nil
}
