package tests

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// The examples of docs/server-api.md run as they are.
func TestServerAPIExamples(t *testing.T) {
	c, _, _ := up(t)
	_, shop := c.backend()
	page := readFile(t, filepath.Join(root, "docs", "server-api.md"))
	run := func(program string, args ...string) string {
		t.Helper()
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is missing, which runs an example", program)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // Go compiles its library
		defer cancel()
		cmd := exec.CommandContext(ctx, program, args...) // #nosec G204 -- of the documentation
		cmd.Env = append(os.Environ(), "API="+shop.url, "KEY="+shop.key)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", program, err, out)
		}
		return string(out)
	}
	shell := blocks(page, "sh")
	if len(shell) != 2 {
		t.Fatalf("the page has %d examples for curl", len(shell))
	}
	if out := run("sh", "-c", shell[0]); !strings.Contains(out, `"id":"order-17-sent"`) || strings.Contains(out, `"error"`) {
		t.Errorf("the first example answers %s", out)
	}
	if out := run("sh", "-c", shell[1]); strings.Count(out, `"result"`) != 3 || strings.Contains(out, `"error"`) {
		t.Errorf("the batch answers %s", out)
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(blocks(page, "go")[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	out := run("go", "run", file)
	run("python3", "-c", blocks(page, "python")[0])
	var r rpc.HistoryResult
	shop.call(rpc.MethodHistory, rpc.BackendHistoryParams{HistoryParams: rpc.HistoryParams{Channel: "orders/17"}, As: "ada"}, &r)
	var bodies []string
	for _, m := range r.Messages {
		bodies = append(bodies, m.Body)
		if m.Body == "from Go" && out != fmt.Sprintln("stored at", m.Seq) {
			t.Errorf("the program in Go says %q of the message at %d", out, m.Seq)
		}
	}
	want := "Your order is on its way.|It has arrived.|We are closed on Monday.|from Go|Thank you!"
	if got := strings.Join(bodies, "|"); got != want {
		t.Errorf("the channel has %s, want %s", got, want)
	}
}

// blocks are the examples of a page that are in a language.
func blocks(page, language string) (all []string) {
	for _, part := range strings.Split(page, "\n```"+language+"\n")[1:] {
		text, _, _ := strings.Cut(part, "\n```")
		all = append(all, text)
	}
	return all
}
