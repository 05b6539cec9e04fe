package cli_test

import (
	"strings"
	"testing"

	"github.com/parley-chat/parley/internal/app/stack"
	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
)

// A connector serves without a ClickHouse that lets it in, and says at once why
// history is missing. A file that is not there ends it, as it ends any role.
func TestConnectorSaysWhatIsWrongWithItsClickHouse(t *testing.T) {
	embeddedtest.NeedEngine(t)
	broker := begin(t, "broker", "--open", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	kafka := broker.find(`the broker listens" address=(\S+)`)
	engine := begin(t, "clickhouse", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	at := engine.find(`ClickHouse listens" address=(\S+)`)
	connector := func(dsn string, more ...string) *program {
		return begin(t, append([]string{"connector", "--listen", "127.0.0.1:0", "--kafka", kafka, "--clickhouse", dsn}, more...)...)
	}
	isReady := func(c *program) {
		t.Helper()
		admin := c.find(`health is served" address=(\S+)`)
		await.That(t, "the connector is ready", func() bool { return status("http://"+admin+"/readyz") == 200 })
	}
	// It begins the log, which needs ClickHouse.
	isReady(connector("clickhouse://parley@"+at+"/default", "--clickhouse-password-file", engine.find(`password_file=(\S+)`)))
	for dsn, says := range map[string]string{
		"clickhouse://ada:wrong@" + at + "/default": "ClickHouse refuses to be read.*it refuses user .*ada.* with this password",
		"clickhouse://127.0.0.1:1/default":          "ClickHouse cannot be read.*connection refused",
	} {
		c := connector(dsn)
		c.find(says)
		isReady(c)
	}
	c := connector("clickhouse://" + at + "/default?ca=/none.pem")
	if code := c.exitCode(); code != 1 || !strings.Contains(lastLine(c.said()), "/none.pem") {
		t.Errorf("exit code %d:\n%s", code, c.said())
	}
}

// A database without tables is reported as such, and reading creates none.
func TestDatabaseWithoutTables(t *testing.T) {
	embeddedtest.NeedEngine(t)
	data := t.TempDir()
	begin(t, "up", "--listen", "127.0.0.1:0", "--data", data).find(`Parley is ready`)
	at, err := stack.ReadAddresses(data)
	if err != nil {
		t.Fatal(err)
	}
	dsn := strings.Replace(at.ClickHouse, "/default?", "/none?", 1)
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"history", "lobby"}, 0, "database none in ClickHouse has no tables of parley"},
		{[]string{"verify"}, 3, "database none in ClickHouse has no tables of parley"},
		{[]string{"history", "lobby"}, 0, "database none in ClickHouse has no tables of parley"},
	} {
		p := begin(t, append(c.args, "--kafka", at.Kafka, "--kafka-sasl", "SCRAM-SHA-256", "--kafka-user", embedded.User,
			"--kafka-password-file", at.KafkaPasswordFile, "--clickhouse", dsn)...)
		if code := p.exitCode(); code != c.code || !strings.Contains(p.said(), c.says) || strings.Contains(p.said(), "0 differences") {
			t.Errorf("parley %s ends with %d and says %s", c.args[0], code, p.said())
		}
	}
}
