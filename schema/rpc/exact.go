package rpc

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf16"
)

// unmarshal is json.Unmarshal for names as JSON has them: byte for byte.
// encoding/json would also take "Channel" for channel, and of two that differ
// in case the later one.
func unmarshal(object []byte, v any) error {
	if hasStrays(object) {
		object = withoutStrays(object)
	}
	return json.Unmarshal(object, v)
}

// hasStrays reports whether an object, valid JSON, has a name that is not
// written as all of the protocol's are: in small letters of ASCII.
func hasStrays(object []byte) bool {
	depth, name := 0, false
	for i := 0; i < len(object); i++ {
		switch object[i] {
		case '{':
			depth++
			name = depth == 1
		case '[':
			if depth++; depth == 1 {
				return false // no object
			}
		case '}', ']':
			depth--
		case ',':
			name = depth == 1
		case '"':
			begin := i + 1
			for i++; object[i] != '"'; i++ {
				if object[i] == '\\' {
					i++
				}
			}
			if name && !isPlain(object[begin:i]) {
				return true
			}
			name = false
		}
	}
	return false
}

func isPlain(name []byte) bool {
	for _, c := range name {
		if c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

// withoutStrays leaves out the members that no field is named like.
func withoutStrays(object []byte) []byte {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) != nil {
		return object
	}
	for name := range members {
		if !isPlain([]byte(name)) {
			delete(members, name)
		}
	}
	kept, err := json.Marshal(members)
	if err != nil {
		return object
	}
	return kept
}

// brokenText names the field of v whose value in params holds half of a
// surrogate pair: no text in UTF-8 can. encoding/json would make U+FFFD of it,
// and one name, or one id, of two.
func brokenText(params []byte, v any) string {
	if !bytes.Contains(params, []byte(`\u`)) {
		return ""
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(params, &members) != nil {
		return ""
	}
	for _, field := range reflect.VisibleFields(reflect.TypeOf(v).Elem()) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if raw := members[name]; len(raw) > 0 && raw[0] == '"' && hasLoneSurrogate(raw) {
			return name
		}
	}
	return ""
}

// hasLoneSurrogate looks at the escapes of a JSON string.
func hasLoneSurrogate(s []byte) bool {
	high := false // the escape right before was the first half of a pair
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			if high {
				return true
			}
			continue
		}
		unit := rune(0)
		if i++; s[i] == 'u' {
			n, _ := strconv.ParseUint(string(s[i+1:i+5]), 16, 16)
			unit, i = rune(n), i+4
		}
		low := unit >= 0xdc00 && unit <= 0xdfff
		if high != low {
			return true
		}
		high = utf16.IsSurrogate(unit) && !low
	}
	return false
}
