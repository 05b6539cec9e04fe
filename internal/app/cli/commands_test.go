package cli

import (
	"fmt"
	"io"
	"testing"
)

// Every command can run, and is the one that was asked for.
func TestEveryCommandRuns(t *testing.T) {
	line, err := newCommandLine(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, command := range line.parser.Model.Leaves(false) {
		if _, ok := command.Target.Addr().Interface().(runner); !ok {
			t.Errorf("%s has no Run", command.FullPath())
		}
	}
	for _, c := range []struct {
		args []string
		want runner
	}{
		{[]string{"topics"}, &topicsShowCommand{}}, {[]string{"topics", "--json"}, &topicsShowCommand{}},
		{[]string{"topics", "show"}, &topicsShowCommand{}}, {[]string{"topics", "create"}, &topicsCreateCommand{}},
		{[]string{"format"}, &formatShowCommand{}}, {[]string{"format", "raise", "2"}, &formatRaiseCommand{}},
		{[]string{"epoch", "new"}, &epochNewCommand{}}, {[]string{"sql"}, &sqlCommand{}}, {[]string{"sql", "SELECT 1"}, &sqlCommand{}},
		{[]string{"history", "lobby"}, &historyCommand{}}, {[]string{"check", "up", "--x"}, &checkCommand{}},
	} {
		if got, _, err := parse(c.args, io.Discard); err != nil || fmt.Sprintf("%T", got) != fmt.Sprintf("%T", c.want) {
			t.Errorf("parley %v runs %T, %v, want %T", c.args, got, err, c.want)
		}
	}
}
