package embedded_test

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
)

const patience = time.Minute

// holderEnv makes this test binary a process that starts ClickHouse, prints
// the child's pid and address, and waits to be killed.
const holderEnv = "PARLEY_TEST_HOLDER"

func TestMain(m *testing.M) {
	embedded.RunEngineIfAsked()
	if dir := os.Getenv(holderEnv); dir != "" {
		hold(dir)
	}
	await.Main(m, func() error { return nil })
}

func hold(dir string) {
	c, err := embedded.StartClickHouse(context.Background(), embedded.ClickHouseConfig{
		Listen: os.Getenv(holderEnv + "_LISTEN"), DataDir: dir,
	})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(c.Pid(), c.Addr())
	<-c.Done()
	os.Exit(1)
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// needEngine is embeddedtest.NeedEngine, which cannot be imported from here
// without taking over this package's TestMain.
func needEngine(t *testing.T) {
	t.Helper()
	if _, err := embedded.FindEngine(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}
