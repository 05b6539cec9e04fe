package apiclients

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// server is a Parley that runs.
type server struct{ url, key string }

// start starts bin/parley as a user would, on empty data.
func start(t *testing.T) server {
	t.Helper()
	binary, err := filepath.Abs("../../bin/parley")
	if err == nil {
		_, err = os.Stat(binary)
	}
	if err != nil {
		t.Fatalf("%v: `make test-api` builds it", err)
	}
	data := filepath.Join(t.TempDir(), "data")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	p := exec.Command(binary, "up", "--listen", "127.0.0.1:0", "--data", data)
	p.Stdout, p.Stderr = log, log
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.Process.Signal(syscall.SIGTERM)
		_ = p.Wait()
		_ = log.Close()
		if text, err := os.ReadFile(log.Name()); t.Failed() && err == nil {
			t.Logf("the server's log:\n%s", text)
		}
	})
	var at struct {
		API string `json:"api"`
		Key string `json:"api_key_file"`
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if text, err := os.ReadFile(filepath.Join(data, "addresses.json")); err == nil && json.Unmarshal(text, &at) == nil && at.API != "" {
			key, err := os.ReadFile(at.Key)
			s := server{at.API, strings.TrimSpace(string(key))}
			if err == nil && s.status(t, "/v1/openapi.json") == http.StatusOK {
				return s
			}
		}
		if time.Now().After(deadline) {
			t.Fatal("the server is not ready")
		}
	}
}

// get reads a path; nil: nobody answers.
func (s server) get(t *testing.T, path string) (status int, body []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil
	}
	defer res.Body.Close()
	body, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

func (s server) status(t *testing.T, path string) int {
	t.Helper()
	status, _ := s.get(t, path)
	return status
}

// run runs a program, which has to succeed, and returns what it prints.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute) // a compiler may have all to compile
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Clients that are generated from the document do what it says: they publish, one message
// and in batches, read, moderate, and understand what is refused.
func TestGeneratedClients(t *testing.T) {
	s := start(t)
	dir := t.TempDir()
	document := filepath.Join(dir, "openapi.json")
	_, text := s.get(t, "/v1/openapi.json")
	if err := os.WriteFile(document, text, 0o600); err != nil {
		t.Fatal(err)
	}
	env := func(channel string) []string {
		return []string{"API=" + s.url, "KEY=" + s.key, "CHANNEL=" + channel}
	}
	t.Run("Go", func(t *testing.T) {
		generated := filepath.Join(dir, "client.go")
		run(t, nil, "go", "tool", "oapi-codegen", "-generate", "types,client,skip-prune", "-package", "parley", "-o", generated, document)
		run(t, env("by/go"), "go", "run", "-overlay", overlay(t, dir, generated), "./testdata/program")
		s.has(t, "by/go")
	})
	t.Run("Python", func(t *testing.T) {
		python, err := filepath.Abs("../../bin/apiclients/bin/python")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(python); err != nil {
			t.Skipf("there is no Python with the generator: %v", err)
		}
		path := "PATH=" + filepath.Dir(python) + ":" + os.Getenv("PATH") // the generator calls a formatter
		run(t, nil, python, "-m", "openapi_spec_validator", document)
		run(t, []string{path}, python, "-m", "openapi_python_client", "generate", "--path", document, "--output-path", filepath.Join(dir, "python"), "--fail-on-warning")
		run(t, append(env("by/python"), "PYTHONPATH="+filepath.Join(dir, "python")), python, "testdata/program.py")
		s.has(t, "by/python")
	})
}

// overlay has the generated client take the place of a file of the package parley.
func overlay(t *testing.T, dir, generated string) string {
	t.Helper()
	at, err := filepath.Abs("testdata/parley/client.go")
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"Replace": map[string]string{at: generated}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// has sees that a channel has what both programs publish.
func (s server) has(t *testing.T, channel string) {
	t.Helper()
	var page struct {
		Messages []struct {
			Body, User, Type, Origin, Key string
			Info                          map[string]string
			Data                          map[string]int
		}
	}
	status, text := s.get(t, "/v1/messages?channel="+channel)
	if err := json.Unmarshal(text, &page); err != nil || status != http.StatusOK {
		t.Fatalf("the page is answered %d %s", status, text)
	}
	var bodies []string
	for _, m := range page.Messages {
		bodies = append(bodies, m.Body)
	}
	if got, want := fmt.Sprint(bodies), "[one two three]"; got != want {
		t.Fatalf("the channel has %s, want %s", got, want)
	}
	if m := page.Messages[0]; m.User != "ada" || m.Type != "order" || m.Origin != "backend" || m.Info["name"] != "Ada" || m.Data["n"] != 1 {
		t.Errorf("the first message is %+v", m)
	}
}
