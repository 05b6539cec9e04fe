package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/parley-chat/parley/internal/embedded"
	"github.com/parley-chat/parley/internal/testing/await"
)

// Nobody gets in without the password, on either port: no page of another site,
// no other user of the machine.
func TestClickHouseAsksForThePassword(t *testing.T) {
	needEngine(t)
	dir := t.TempDir()
	c := startWith(t, embedded.ClickHouseConfig{Listen: "127.0.0.1:0", HTTPPort: "0", DataDir: dir})
	defer stopClickHouse(t, c)
	for _, query := range []string{"SELECT 1", "SELECT * FROM file('/etc/passwd','LineAsString')", "SYSTEM STOP LISTEN TCP", "SELECT number FROM system.numbers LIMIT 1"} {
		for _, options := range []string{"", "?user=default", "?user=parley", "?user=parley&password=wrong", "?session_id=s"} {
			status, header, body := post(t, c, options, query, nil)
			if status == http.StatusOK || strings.Contains(body, "root:") {
				t.Errorf("%s as %q: %d %s", query, options, status, body)
			}
			if allowed := header.Get("Access-Control-Allow-Origin"); allowed != "" {
				t.Errorf("%s as %q: pages of origin %q may read the answer", query, options, allowed)
			}
		}
	}
	login := func(r *http.Request) { r.SetBasicAuth(embedded.User, testPassword) }
	if status, _, body := post(t, c, "", "SELECT 42", login); status != http.StatusOK || body != "42\n" {
		t.Errorf("with the password: %d %s", status, body)
	}
	for _, header := range []string{"add_http_cors_header=1", "http_response_headers={'Access-Control-Allow-Origin':'*'}"} {
		status, got, body := post(t, c, "?"+strings.ReplaceAll(header, "'", "%27"), "SELECT 42", login)
		if status == http.StatusOK || got.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %s %v", header, status, body, got)
		}
	}
	for name, auth := range map[string]clickhouse.Auth{
		"default": {}, "default with a password": {Username: "default", Password: testPassword},
		"parley without": {Username: embedded.User}, "parley with a wrong one": {Username: embedded.User, Password: "wrong"},
		"nobody": {Username: "nobody"},
	} {
		conn := connectAs(t, c.Addr(), auth)
		var one uint8
		err := conn.QueryRow(within(t), "SELECT 1").Scan(&one)
		conn.Close()
		if err == nil {
			t.Errorf("%s got in", name)
		}
	}
	await.That(t, "the owner still gets in", func() bool {
		return ping(c.Addr(), clickhouse.Auth{Username: embedded.User, Password: testPassword}) == nil
	})
}

// post sends a query as a page of another site would.
func post(t *testing.T, c *embedded.ClickHouse, options, query string, with func(*http.Request)) (status int, header http.Header, body string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, "http://"+c.HTTPAddr()+"/"+options, strings.NewReader(query))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", "http://evil.example")
	if with != nil {
		with(req)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// With the password, SQL reaches the server's tables and backups, and nothing
// else of the machine.
func TestSQLReachesTablesOnly(t *testing.T) {
	needEngine(t)
	dir, outside := t.TempDir(), t.TempDir()
	called := make(chan string, 100)
	trap := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.String() }))
	defer trap.Close()
	secret := filepath.Join(outside, "secret.csv")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := startClickHouse(t, "127.0.0.1:0", dir)
	defer stopClickHouse(t, c)
	conn := connect(t, c.Addr())
	defer conn.Close()
	place := strings.NewReplacer("SECRET", secret, "OUT", outside, "URL", trap.URL, "ADDR", c.Addr())
	for _, statement := range forbidden {
		statement = place.Replace(statement)
		// A backup to another server keeps trying; the trap reports that it got nowhere.
		if got, err := rowsOf(conn, statement, 10*time.Second); err == nil {
			t.Errorf("%s\n\tis allowed, and gives %q", statement, got)
		}
	}
	for _, statement := range allowed {
		if _, err := rowsOf(conn, statement, patience); err != nil {
			t.Errorf("%s\n\tis refused: %v", statement, err)
		}
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("SQL wrote files: %v, %v", entries, err)
	}
	close(called)
	for url := range called {
		t.Errorf("SQL asked another server for %s", url)
	}
}

var allowed = []string{
	"CREATE DATABASE chat", "CREATE TABLE chat.t (a UInt8) ENGINE = ReplacingMergeTree ORDER BY a",
	"INSERT INTO chat.t SELECT number FROM numbers(3)", "CREATE VIEW chat.v AS SELECT * FROM chat.t", "SELECT * FROM chat.v",
	"ALTER TABLE chat.t ADD COLUMN b UInt8", "OPTIMIZE TABLE chat.t FINAL", "TRUNCATE TABLE chat.t",
	"BACKUP DATABASE chat TO File('monday')", "DROP DATABASE chat SYNC", "RESTORE DATABASE chat FROM File('monday')",
	"DROP TABLE chat.t SYNC", "SELECT * FROM system.tables", "SELECT * FROM system.disks", "SHOW TABLES FROM chat",
}

var forbidden = []string{
	// files
	"SELECT * FROM file('SECRET', 'LineAsString')", "SELECT file('SECRET')", "SELECT file('/etc/passwd')", "SELECT * FROM `SECRET`",
	"INSERT INTO FUNCTION file('OUT/new.csv', 'CSV', 'a String') VALUES ('x')", "SELECT * FROM filesystem('OUT')",
	"CREATE TABLE f (a String) ENGINE = File(CSV, 'OUT/new.csv')", "CREATE TABLE f (a String) ENGINE = FileLog('SECRET', 'CSV')",
	"CREATE DATABASE f ENGINE = Filesystem('OUT')", "CREATE DATABASE f ENGINE = SQLite('OUT/new.db')", "SELECT * FROM sqlite('OUT/new.db', 't')",
	"CREATE DATABASE f ENGINE = Overlay", "SELECT * FROM icebergLocal('OUT')", "SELECT * FROM deltaLakeLocal('OUT')",
	"CREATE TABLE f (a UInt64) ENGINE = EmbeddedRocksDB(0, 'OUT/rocks') PRIMARY KEY a",
	"CREATE TABLE f (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = local, path = 'OUT/disk/')",
	"CREATE TABLE f (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = object_storage, object_storage_type = local, metadata_type = plain_rewritable, path = 'OUT/disk/')",
	"CREATE DATABASE f ENGINE = Atomic SETTINGS disk = disk(type = local, path = 'OUT/disk/')",
	"ATTACH TABLE f FROM 'OUT' (a UInt8) ENGINE = MergeTree ORDER BY a",
	"CREATE DICTIONARY f (id UInt64, v String) PRIMARY KEY id SOURCE(FILE(path 'SECRET' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
	"BACKUP DATABASE default TO File('OUT/backup')", "BACKUP DATABASE default TO File('../../backup')", "BACKUP DATABASE default TO Disk('default', 'backup')",
	// other servers
	"SELECT * FROM url('URL', 'LineAsString')", "SELECT * FROM s3('URL/bucket/key', 'LineAsString')", "SELECT * FROM remote('ADDR', system.one)",
	"SELECT * FROM gcs('URL/bucket/key', 'k', 's', 'LineAsString')", "SELECT * FROM mysql('ADDR', 'd', 't', 'u', 'p')", "SELECT * FROM postgresql('ADDR', 'd', 't', 'u', 'p')",
	"CREATE TABLE f (a String) ENGINE = URL('URL', CSV)", "CREATE TABLE f (a String) ENGINE = S3('URL/bucket/key', 'CSV')",
	"CREATE TABLE f (a String) ENGINE = Distributed('default', system, one)", "CREATE DATABASE f ENGINE = MySQL('ADDR', 'd', 'u', 'p')",
	"CREATE TABLE f (a String) ENGINE = Kafka SETTINGS kafka_broker_list = 'ADDR', kafka_topic_list = 'a', kafka_group_name = 'a', kafka_format = 'CSV'",
	"CREATE TABLE f (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = web, endpoint = 'URL/')",
	"CREATE TABLE f (a UInt8) ENGINE = MergeTree ORDER BY a SETTINGS disk = disk(type = s3, endpoint = 'URL/bucket/', access_key_id = 'k', secret_access_key = 's')",
	"BACKUP DATABASE system TO S3('URL/bucket/backup', 'k', 's')",
	// programs
	"SELECT * FROM executable('id', 'TSV', 'a String')", "CREATE TABLE f (a String) ENGINE = Executable('id', 'TSV')", "CREATE TABLE f (a String) ENGINE = ExecutablePool('id', 'TSV')",
	"CREATE DICTIONARY f (id UInt64, v String) PRIMARY KEY id SOURCE(EXECUTABLE(command 'id' format 'CSV')) LAYOUT(FLAT()) LIFETIME(0)",
	"CREATE FUNCTION f AS (x) -> x", "CREATE TABLE f (a String) ENGINE = Python('x')", "SELECT catboostEvaluate('SECRET', 1)",
	// the server itself
	"SYSTEM SHUTDOWN", "SYSTEM STOP LISTEN TCP", "SYSTEM RELOAD CONFIG", "SYSTEM FLUSH LOGS", "CREATE USER eve IDENTIFIED BY 'x'", "ALTER USER default HOST ANY",
	"GRANT FILE ON *.* TO parley", "CREATE ROLE r", "CREATE NAMED COLLECTION c AS a = 1", "EXECUTE AS default SELECT 1", "SHOW CREATE USER parley",
	"SET add_http_cors_header = 1", "SELECT 1 SETTINGS add_http_cors_header = 1", "SET allow_introspection_functions = 1, add_http_cors_header = 1",
}

// rowsOf carries out a statement and returns what it gives, as text.
func rowsOf(conn clickhouse.Conn, statement string, limit time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	rows, err := conn.Query(ctx, statement)
	if errors.Is(err, io.EOF) { // carried out, without a result
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	return fmt.Sprint(n, " rows"), rows.Err()
}

// The password is random, only its owner can read it, and neither a command line
// nor a log has it.
func TestClickHousePasswordIsTheOwners(t *testing.T) {
	needEngine(t)
	dirs := [2]string{t.TempDir(), t.TempDir()}
	var passwords [2]string
	for i, dir := range dirs {
		c, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: dir})
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(c.PasswordFile())
		if err != nil {
			t.Fatal(err)
		}
		passwords[i] = strings.TrimSpace(string(text))
		if info, err := os.Stat(c.PasswordFile()); err != nil || info.Mode().Perm() != 0o600 || len(passwords[i]) < 26 {
			t.Errorf("the password has %d characters and mode %v, %v", len(passwords[i]), info.Mode(), err)
		}
		ps, err := exec.Command("ps", "-A", "-o", "args=").Output()
		if err != nil {
			t.Fatal(err)
		}
		_ = ping(c.Addr(), clickhouse.Auth{Username: embedded.User, Password: passwords[i] + "x"})
		log, err := os.ReadFile(filepath.Join(dir, "clickhouse.log"))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(ps)+string(log)+c.DSN("chat"), passwords[i]) {
			t.Error("a command line, the log or the DSN has the password")
		}
		stopClickHouse(t, c)
	}
	if passwords[0] == passwords[1] {
		t.Error("two folders have the same password")
	}
	// A copy that everybody may read is taken back.
	if err := os.Chmod(filepath.Join(dirs[0], embedded.ClickHousePasswordFile), 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := embedded.StartClickHouse(within(t), embedded.ClickHouseConfig{Listen: "127.0.0.1:0", DataDir: dirs[0]})
	if err != nil {
		t.Fatal(err)
	}
	defer stopClickHouse(t, c)
	if info, err := os.Stat(c.PasswordFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if err := ping(c.Addr(), clickhouse.Auth{Username: embedded.User, Password: passwords[0]}); err != nil {
		t.Errorf("the password of before does not work: %v", err)
	}
}
