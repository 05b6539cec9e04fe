package chaos

import (
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/krafttest"
)

// root is the module's.
const root = "../.."

func TestMain(m *testing.M) { embeddedtest.Main(m) }

// workplace builds the program into a folder that is kept when the test fails.
func workplace(t *testing.T) (binary, folder string) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes a minute")
	}
	embeddedtest.NeedEngine(t)
	folder, err := os.MkdirTemp("", "parley-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs and recording: %s", folder)
			return
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Error(err)
		}
	})
	if binary, err = Build(folder, root); err != nil {
		t.Fatal(err)
	}
	return binary, folder
}

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// Faults strike for a while, and no guarantee is violated. `make chaos` does
// the same for longer, with other seeds. Three nodes of Apache Kafka are more
// than a small machine is made for: time counts less there.
func TestGuaranteesUnderFaults(t *testing.T) {
	binary, folder := workplace(t)
	cfg := Config{Binary: binary, Folder: folder, Seed: 7, Duration: 20 * time.Second, Logger: logger(t)}
	if krafttest.Asked() {
		krafttest.Need(t)
		cfg.Nodes, cfg.Slow, cfg.Duration = 3, 5, 40*time.Second
	}
	result, err := Run(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(result)
	for _, v := range result.Violations {
		t.Error(v)
	}
	if f := result.Figures; f.Sanctions < 20 || f.Removed < 1 || f.Changes < 100 || f.Reactions < 100 || f.ChangesInPages < 50 || f.Changed < 200 || f.Deliveries < 1000 || f.Acked < 200 || f.Recovered < 10 || len(result.Faults) < 3 {
		t.Errorf("the run was too quiet to prove anything: %v", result)
	}
}
