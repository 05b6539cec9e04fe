package cli_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/parley-chat/parley/internal/app/cli"
)

func TestSettingsAreThoseOfTheProgram(t *testing.T) {
	want, err := cli.Settings()
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile("../../../docs/settings.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Error("docs/settings.md is not what the flags say: run `make generate`")
	}
	for _, must := range []string{"`--kafka ADDR`", "`PARLEY_CLICKHOUSE`", "`--drain TIME`", "`--drop-older`", "| 100000 |"} {
		if !bytes.Contains(want, []byte(must)) {
			t.Errorf("the settings do not name %s", must)
		}
	}
}
