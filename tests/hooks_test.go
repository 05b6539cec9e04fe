package tests

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/testing/freeport"
	"github.com/parley-chat/parley/internal/webhook"
)

// goReceiver is what surrounds the example in Go.
const goReceiver = `package main

import (
	"encoding/json"
	"io"
	"net/http"
	"os"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

func main() {
	if err := run(os.Getenv("SECRET")); err != nil {
		panic(err)
	}
}

func store(batch any) error {
	text, err := json.Marshal(batch)
	if err == nil {
		var b struct{ Events []json.RawMessage }
		err = json.Unmarshal(text, &b)
		for _, e := range b.Events {
			os.Stdout.Write(append(e, '\n'))
		}
	}
	return err
}

func run(secret string) error {
%s
	return http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), nil)
}
`

// The receivers of docs/hooks.md run as they are, and are told what happens.
func TestHooksExamples(t *testing.T) {
	c := newCluster(t)
	c.worker()
	c.projector()
	url := c.connector(nil).addr
	ada := enter(t, url, "ada")
	ada.join("lobby")
	ada.chat("lobby", "hello")
	ada.leave("lobby")

	folder := t.TempDir()
	secret := "whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	file := filepath.Join(folder, "hooks.secret")
	page := readFile(t, filepath.Join(root, "docs", "hooks.md"))
	main := filepath.Join(folder, "main.go")
	for name, text := range map[string]string{
		file: secret + "\n",
		main: fmt.Sprintf(goReceiver, blocks(page, "go")[0]),
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	program := filepath.Join(folder, "receiver")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, main).CombinedOutput(); err != nil { // #nosec G204 -- of the documentation
		t.Fatalf("the example in Go: %v\n%s", err, out)
	}
	for name, command := range map[string][]string{
		"python": {"python3", "-c", blocks(page, "python")[0]},
		"go":     {program},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skipf("%s is missing, which runs the example", command[0])
			}
			free, err := freeport.Take()
			if err != nil {
				t.Fatal(err)
			}
			port := strconv.Itoa(free)
			told := receives(t, folder, port, secret, command)
			secrets, err := webhook.ReadSecrets(file)
			if err != nil {
				t.Fatal(err)
			}
			c.hooksTo(name, webhook.Receiver{URL: "http://127.0.0.1:" + port + "/hooks", Secrets: secrets})
			want := []string{"occupied", "join ada", "chat ada hello", "leave ada", "vacated"}
			var got []string
			for line := range told {
				if got = append(got, line); len(got) == len(want) {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("it is told %v, want %v", got, want)
			}
		})
	}
}

// receives runs a receiver until the test ends, and returns what it prints, an event a
// line.
func receives(t *testing.T, folder, port, secret string, command []string) <-chan string {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, command[0], command[1:]...) // #nosec G204 -- of the documentation
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "PORT="+port, "SECRET="+secret)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		stop()
		t.Fatal(err)
	}
	told, done := make(chan string, 100), make(chan struct{})
	go func() {
		defer close(done)
		defer close(told)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var e struct{ Kind, User, Body string }
			if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
				told <- lines.Text()
				continue
			}
			told <- strings.TrimSpace(strings.Join([]string{e.Kind, e.User, e.Body}, " "))
		}
		_, _ = io.Copy(io.Discard, out)
	}()
	t.Cleanup(func() {
		stop()
		<-done
		_ = cmd.Wait()
	})
	return told
}
