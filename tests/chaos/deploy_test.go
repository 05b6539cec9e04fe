package chaos

import (
	"testing"
	"time"

	"github.com/parley-chat/parley/schema/rpc"
)

// Every role is restarted under load, one after the other as each is ready,
// then one of each comes and goes: no guarantee is violated, clients meet
// nothing but closes that tell them to come back, and who comes gets a share.
func TestRolesComeAndGoUnderLoad(t *testing.T) {
	binary, folder := workplace(t)
	result, err := Run(t.Context(), Config{Binary: binary, Folder: folder, Seed: 5, Duration: 2 * time.Minute, Mode: Deploy, Logger: logger(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	t.Logf("servers ended connections with %v", result.Ends)
	for _, v := range result.Violations {
		t.Error(v)
	}
	for code, times := range result.Ends {
		if code != rpc.CloseShutdown {
			t.Errorf("%d connections ended with %d", times, code)
		}
	}
	for _, r := range result.Refused {
		t.Error(r)
	}
	if f := result.Figures; f.Deliveries < 1000 || f.Acked < 200 || f.Recovered < 10 || result.Ends[rpc.CloseShutdown] < 10 || len(result.Faults) < 9 {
		t.Errorf("the run was too quiet to prove anything: %v", result)
	}
	if result.Takeover > 5*time.Second {
		t.Errorf("a message took %v while a worker was replaced", result.Takeover)
	}
}
