package api

import (
	"strings"
	"testing"
)

// Two lines that cannot be told apart are refused, whichever would count.
func TestKeysAreToldApart(t *testing.T) {
	for text, want := range map[string]string{
		"a " + Sum("x") + " []\na " + Sum("y") + " []": "same name",
		"a " + Sum("x") + " []\nb " + Sum("x") + " []": "same key",
		"a " + Sum("x") + " []\nb " + Sum("y") + " []": "",
	} {
		switch _, _, err := ParseKeys([]byte(text)); {
		case want == "" && err != nil:
			t.Errorf("%q: %v", text, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), "line 2: ") || !strings.Contains(err.Error(), want)):
			t.Errorf("%q: %v, want one of line 2 with %q", text, err, want)
		}
	}
}
