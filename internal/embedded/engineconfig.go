package embedded

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/parley-chat/parley/internal/memory"
)

const (
	configFile = "parley-config.xml"
	usersFile  = "parley-users.xml"
	// userFiles is the only folder that SQL could read files from. It stays empty.
	userFiles = "user_files"
)

// engineTexts are the configuration of the engine and of its users.
//
// The engine's main thread logs in as "default" without a password, from
// loopback, and cannot be configured otherwise. So that nobody else can, that user
// may have one session, which the main thread keeps for as long as the engine
// runs. What it needs to start is all that it may do.
//
// The user parley has what the roles and SQL over the history need. It has no
// access to files, other servers, programs or the server itself, and the
// settings with which a table could be kept elsewhere, or an answer be made
// readable to other sites' pages, are fixed.
var engineTexts = template.Must(template.New("").Parse(`{{define "config"}}<clickhouse>
<user_directories><users_xml><path>{{.Users}}</path></users_xml></user_directories>
<user_files_path>{{.UserFiles}}</user_files_path>
<remote_url_allow_hosts></remote_url_allow_hosts>
<backups><allowed_path>{{.Backups}}</allowed_path></backups>
<max_server_memory_usage>{{.Memory}}</max_server_memory_usage>
<background_pool_size>{{.Merges}}</background_pool_size>
<background_merges_mutations_concurrency_ratio>1</background_merges_mutations_concurrency_ratio>
<merge_tree>
<number_of_free_entries_in_pool_to_execute_mutation>0</number_of_free_entries_in_pool_to_execute_mutation>
<number_of_free_entries_in_pool_to_lower_max_size_of_merge>0</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
<number_of_free_entries_in_pool_to_execute_optimize_entire_partition>0</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
<max_bytes_to_merge_at_max_space_in_pool>{{.Part}}</max_bytes_to_merge_at_max_space_in_pool>
<max_avg_part_size_for_too_many_parts>{{.Small}}</max_avg_part_size_for_too_many_parts>
</merge_tree>
</clickhouse>
{{end}}{{define "users"}}<clickhouse>
<profiles>
<default/>
<start>
<max_sessions_for_user>1</max_sessions_for_user>
<constraints><max_sessions_for_user><const/></max_sessions_for_user></constraints>
</start>
<parley>
<add_http_cors_header>0</add_http_cors_header>
<constraints>
<add_http_cors_header><const/></add_http_cors_header>
<http_response_headers><const/></http_response_headers>
<merge_tree_disk><const/></merge_tree_disk>
<merge_tree_storage_policy><const/></merge_tree_storage_policy>
</constraints>
</parley>
</profiles>
<quotas><default/></quotas>
<users>
<default>
<password></password><networks><ip>127.0.0.1</ip></networks><profile>start</profile><quota>default</quota>
<grants><query>GRANT SYSTEM LISTEN ON *.*</query><query>GRANT SELECT ON system.numbers</query></grants>
</default>
<parley>
<password_sha256_hex>{{.Hash}}</password_sha256_hex><networks><ip>::/0</ip></networks><profile>parley</profile><quota>default</quota>
<grants>
<query>GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, DROP DATABASE, DROP TABLE, DROP VIEW, TRUNCATE, OPTIMIZE, SHOW DATABASES, SHOW TABLES, SHOW COLUMNS, BACKUP ON *.*</query>
{{range .Engines}}<query>GRANT TABLE ENGINE ON {{.}}</query>
{{end}}</grants>
</parley>
</users>
</clickhouse>
{{end}}`))

// tableEngines are those that keep their data among the server's tables.
var tableEngines = []string{
	"Atomic", "MergeTree", "ReplacingMergeTree", "AggregatingMergeTree", "SummingMergeTree",
	"Memory", "Null", "Log", "TinyLog",
}

// A merge makes the index of words of the new part in memory, up to 100 million words:
// where all of them differ they take five times what the part takes on disk, and more
// where they compress well. So that merges leave room for inserts and queries, two run at
// a time, and make parts of at most 1/largestPart of the engine's memory. A long history
// has many of these; that there are many is only a reason to refuse inserts where they
// are smaller than 1/smallPart. The engine refuses a small pool where the numbers of free
// entries are as large as they are by default in an installed ClickHouse.
const (
	mergesAtOnce = 2
	largestPart  = 32
	smallPart    = 256
)

// writeEngineConfig writes the engine's configuration into its data folder and
// returns the file's path. It holds the hash of the password of User.
func writeEngineConfig(dir, secret string) (string, error) {
	if strings.Contains(dir, "${") {
		return "", fmt.Errorf("the folder %s cannot be used: the ClickHouse engine takes ${ in a path for a variable; choose another folder with --data", dir)
	}
	if err := os.MkdirAll(filepath.Join(dir, userFiles), 0o700); err != nil {
		return "", fmt.Errorf("ClickHouse cannot be configured: %w", err)
	}
	most := memory.Engine(memory.Limit())
	values := map[string]any{
		"Users": inXML(filepath.Join(dir, usersFile)), "UserFiles": inXML(filepath.Join(dir, userFiles) + "/"),
		"Backups": inXML(filepath.Join(dir, "backups")), "Memory": most, "Merges": mergesAtOnce, "Part": most / largestPart, "Small": most / smallPart,
		"Hash": fmt.Sprintf("%x", sha256.Sum256([]byte(secret))), "Engines": tableEngines,
	}
	for name, text := range map[string]string{configFile: "config", usersFile: "users"} {
		var out bytes.Buffer
		if err := engineTexts.ExecuteTemplate(&out, text, values); err != nil {
			return "", fmt.Errorf("ClickHouse cannot be configured: %w", err)
		}
		if err := replaceFile(filepath.Join(dir, name), out.String()); err != nil {
			return "", fmt.Errorf("ClickHouse cannot be configured: %w", err)
		}
	}
	return filepath.Join(dir, configFile), nil
}

func inXML(text string) string {
	var out bytes.Buffer
	_ = xml.EscapeText(&out, []byte(text)) // a buffer takes everything
	return out.String()
}
