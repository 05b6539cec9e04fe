package schema

import (
	"errors"
	"strings"
	"testing"
)

func TestNewNames(t *testing.T) {
	for _, name := range []string{
		"ada", "Ada Lovelace", "日本語", "नमस्ते", "a  b", "👍🏽", "❤️", "👩\u200d💻", "❤️\u200d🔥", "👨\u200d👩\u200d👧\u200d👦", "क्\u200dष", "می\u200cخواهم", "ശ്രീ\u200d", "é", "١٢٣", "\u0600١٢", "a\u00a0b", "☎︎",
		"ന\u0d4d\u200d", "ක\u0dca\u200dර", "مَ\u200cم", "1️⃣", "#️⃣ general", "🏳️\u200d🌈", "🏳️\u200d⚧️", "🧑🏽\u200d🤝\u200d🧑🏻", "❤\u200d🔥", "‼️", "ℹ️", "™️", "⠓⠊", "⠓⠀⠊",
		strings.Repeat("é", 64),
	} {
		if err := CheckNewName(name); err != nil {
			t.Errorf("%+q: %v", name, err)
		}
	}
	for _, name := range []string{
		" ", "\u00a0", "\u3000\u2003", " ada", "ada ", "ada\u00a0", "\u2003ada", "ada\u2028",
		"\u200b", "ada\u200b", "a\u200bda", "\ufeffada", "ada\u2060", "a\u00adda", "\u034fada", "ada\u115f", "\u3164", "\uffa0", "ada\u180e", "ada\U000e0061", "🏴\U000e0067\U000e007f",
		"ada\u202e", "\u200eada", "ada\u200f", "a\u2066da\u2069", "ada\u061c", "\u202aada\u202c",
		"\u200dada", "\ufe0fada", "a \u200db", "ada\u200d\u200d", "ada\u200c\u200d", "ada\ufe0f\ufe0f", "ada\u200d\ufe0f", "ada\ufe00", "ada\U000e0100", "ada\u200b\u200d",
		"ada\u200d", "ada\u200c", "a\u200dda", "ada\ufe0f", "ada\ufe0e", "ada1\ufe0f", "1\ufe0fst", "#\ufe0f", "日\u200d本", "ада\u200c", "e\u0301\u200d", "é\u200d", "ada+\ufe0f", "👩\u200d", "❤️\u200d", "❤️\u200dada", "❤\u200c🔥", "ada \ufe0f",
		"\u2800", "\u2800\u2800", "ada\u2800", "\u2800ada", "\U0001d159", "\u2800\ufe0f",
	} {
		if err := CheckNewName(name); !errors.Is(err, ErrNewName) {
			t.Errorf("%+q: %v", name, err)
		}
		if err := CheckName(name); err != nil {
			t.Errorf("%+q can no longer be read: %v", name, err)
		}
	}
	for _, name := range []string{"", "a\u0085", "a\nb", "\xff", strings.Repeat("é", 65)} {
		if err := CheckNewName(name); !errors.Is(err, ErrName) {
			t.Errorf("%+q: %v", name, err)
		}
	}
}
