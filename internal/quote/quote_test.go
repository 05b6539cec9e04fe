package quote_test

import (
	"os"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/quote"
)

func TestQuotesWhatCertainlyHoldsNoPassword(t *testing.T) {
	for value, safe := range map[string]bool{
		"8080": true, "nowhere": true, "127.0.0.1:9092": true, "[::1]:80": true, "fd00::1": true, "-1": true, "--listen": true,
		"/etc/parley/key.pem": true, "*.example.com": true, "a..b": true, "": true,
		"ada:pw@host": false, "pw@host": false, "ada:pw": false, "127.0.0.1:http": false, "https://a.example": false, "a,b": false,
		"a b": false, "a\nb": false, "p%40w": false, "key=value": false, "Sec#ret": false, "geheim€": false,
		"0123456789abcdef0123456789abcdef": false, strings.Repeat("a/", 65): false,
	} {
		if quote.Safe(value) != safe || (quote.Not(value) != "") != safe {
			t.Errorf("%q: safe is %v, want %v", value, !safe, safe)
		}
	}
	if said := quote.Not("pass", "word"); said != "" {
		t.Errorf("of a list it quotes %s", said)
	}
	_, err := os.ReadFile("/nowhere/s3cret")
	if said := quote.Reason(err).Error(); strings.Contains(said, "s3cret") {
		t.Error(said)
	}
}
