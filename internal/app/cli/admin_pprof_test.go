package cli_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// read is what a path is answered with.
func read(t *testing.T, url string) (int, []byte) {
	t.Helper()
	response, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return response.StatusCode, body
}

// Profiles are there when they are asked for, and nowhere else. The command line is
// never: a flag may hold a secret.
func TestProfilesAreServedWhenAskedFor(t *testing.T) {
	t.Parallel()
	off := "http://" + adminOf(t, "127.0.0.1:0")
	up := begin(t, "up", "--listen", "127.0.0.1:0", "--data", t.TempDir(), "--pprof", "--api", "127.0.0.1:0")
	on := "http://" + up.find(`health is served" address=(\S+)`)
	if at := up.find(`profiles are served" url=(\S+)`); at != on+"/debug/pprof/" {
		t.Errorf("profiles are said to be at %s", at)
	}
	for path, want := range map[string]string{"": "full goroutine stack dump", "goroutine?debug=1": "goroutine profile: total", "heap?debug=1": "heap profile:", "symbol": "num_symbols: 1"} {
		if status, body := read(t, on+"/debug/pprof/"+path); status != 200 || !strings.Contains(string(body), want) {
			t.Errorf("%q is answered with %d: %.200s", path, status, body)
		}
		if status, _ := read(t, off+"/debug/pprof/"+path); status != 404 {
			t.Errorf("without --pprof %q is answered with %d", path, status)
		}
	}
	if status, _ := read(t, on+"/debug/pprof/cmdline"); status != 404 {
		t.Errorf("the command line is answered with %d", status)
	}
	for _, of := range []string{"chat", "api"} {
		if status, body := read(t, up.find(`parley is ready" .*\b`+of+`=(\S+)`)+"/debug/pprof/goroutine?debug=1"); status == 200 && strings.Contains(string(body), "goroutine profile") {
			t.Errorf("profiles are at the address of %s, too", of)
		}
	}
}

// A profile takes longer than anything else that is asked of --admin.
func TestProfileIsNotCutShort(t *testing.T) {
	t.Parallel()
	worker := begin(t, "chatworker", "--kafka", "127.0.0.1:1", "--pprof")
	begun := time.Now()
	status, body := read(t, "http://"+worker.find(`health is served" address=(\S+)`)+"/debug/pprof/profile?seconds=12")
	if took := time.Since(begun); status != 200 || len(body) == 0 || took < 12*time.Second {
		t.Errorf("a profile of 12 s took %v, is answered with %d, and has %d bytes", took, status, len(body))
	}
}

func TestProfilesNeedAnAddress(t *testing.T) {
	code, _, said := runs("chatworker", "--kafka", "127.0.0.1:1", "--pprof", "--admin", "")
	if code == 0 || !strings.Contains(said, "give it an address") {
		t.Errorf("exit code %d: %s", code, said)
	}
}
