package tests

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/parley-chat/parley/chatworker"
	"github.com/parley-chat/parley/connector"
	"github.com/parley-chat/parley/internal/app/cli"
	"github.com/parley-chat/parley/internal/epoch"
	"github.com/parley-chat/parley/internal/eventlog"
	"github.com/parley-chat/parley/internal/roles"
	"github.com/parley-chat/parley/internal/testing/embeddedtest"
	"github.com/parley-chat/parley/internal/testing/kraft"
	"github.com/parley-chat/parley/internal/testing/krafttest"
	"github.com/parley-chat/parley/projector"
	"github.com/parley-chat/parley/schema/rpc"
)

var rightsRow = regexp.MustCompile("(?m)^\\| (roles|operators|hooks|ingest) \\| ([a-z ]+) \\| `([a-z.-]+)` \\| (prefix|literal) \\| ([A-Za-z, ]+) \\|$")

// rights are the access control lists that docs/managed.md asks for.
func rights(t *testing.T, user string) (all []kfake.ACL) {
	t.Helper()
	kinds := map[string]kmsg.ACLResourceType{
		"topic": kmsg.ACLResourceTypeTopic, "group": kmsg.ACLResourceTypeGroup, "transactional id": kmsg.ACLResourceTypeTransactionalId,
	}
	patterns := map[string]kmsg.ACLResourcePatternType{"prefix": kmsg.ACLResourcePatternTypePrefixed, "literal": kmsg.ACLResourcePatternTypeLiteral}
	operations := map[string]kmsg.ACLOperation{
		"Create": kmsg.ACLOperationCreate, "Delete": kmsg.ACLOperationDelete, "Describe": kmsg.ACLOperationDescribe,
		"DescribeConfigs": kmsg.ACLOperationDescribeConfigs, "Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite,
	}
	for _, row := range rightsRow.FindAllStringSubmatch(readFile(t, filepath.Join(root, "docs", "managed.md")), -1) {
		if row[1] != user {
			continue
		}
		for _, name := range strings.Split(row[5], ", ") {
			kind, known := kinds[row[2]]
			operation, known2 := operations[name]
			if !known || !known2 {
				t.Fatalf("%q is not a right that Kafka knows", row[0])
			}
			all = append(all, kfake.ACL{
				Resource: kind, Name: row[3], Pattern: patterns[row[4]], Operation: operation, Allow: true,
			})
		}
	}
	if len(all) == 0 {
		t.Fatalf("docs/managed.md lists no rights of %s", user)
	}
	return all
}

// guarded starts a broker that allows its users these rights and nothing else.
func guarded(t *testing.T, users map[string][]kfake.ACL) string {
	t.Helper()
	if krafttest.Asked() {
		return guardedKafka(t, users)
	}
	opts := []kfake.Opt{kfake.NumBrokers(1), kfake.EnableSASL(), kfake.EnableACLs(), kfake.Superuser("PLAIN", "admin", "admin")}
	for _, user := range slices.Sorted(maps.Keys(users)) {
		opts = append(opts, kfake.User("PLAIN", user, "secret", users[user]...))
	}
	c, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()[0]
}

// guardedKafka is guarded with Apache Kafka. Who comes without a login may do
// everything there.
func guardedKafka(t *testing.T, users map[string][]kfake.ACL) string {
	t.Helper()
	login := "org.apache.kafka.common.security.plain.PlainLoginModule required"
	var entries []kafka.ACLEntry
	for user, all := range users {
		login += fmt.Sprintf(" user_%s=%q", user, "secret")
		for _, a := range all {
			entries = append(entries, kafka.ACLEntry{
				ResourceType: kafka.ResourceType(a.Resource), ResourceName: a.Name, ResourcePatternType: kafka.PatternType(a.Pattern),
				Principal: "User:" + user, Host: "*", Operation: kafka.ACLOperationType(a.Operation), PermissionType: kafka.ACLPermissionTypeAllow,
			})
		}
	}
	cluster := krafttest.Start(t, kraft.Config{Protocol: "SASL_PLAINTEXT", Settings: []string{
		"authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS",
		"sasl.enabled.mechanisms=PLAIN", "listener.name.sasl_plaintext.plain.sasl.jaas.config=" + login + ";",
	}})
	transport := &kafka.Transport{}
	defer transport.CloseIdleConnections()
	client := kafka.Client{Addr: kafka.TCP(cluster.Brokers()...), Timeout: patience, Transport: transport}
	res, err := client.CreateACLs(soon(t), &kafka.CreateACLsRequest{ACLs: entries})
	if err != nil || errors.Join(res.Errors...) != nil {
		t.Fatal(err, res)
	}
	return cluster.Secure()[0]
}

// The rights that docs/managed.md lists are enough to create the log, to chat,
// to keep history, and for every operator's command.
func TestListedRightsAreEnough(t *testing.T) {
	t.Parallel()
	addr := guarded(t, map[string][]kfake.ACL{"roles": rights(t, "roles"), "operators": rights(t, "operators")})
	c := &cluster{t: t, kafka: addr, clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger, as: "roles"}
	running := []*role{c.worker(), c.projector(), c.connector(nil), c.connector(nil)}
	ada := enter(t, running[2].addr, "ada")
	ada.join("lobby")
	said, last := says(ada, 0, 10)
	c.projected(last)
	page := enter(t, running[3].addr, "bob").join("lobby")
	if !slices.Equal(bodies(page.Messages), said) {
		t.Errorf("bob reads %v", bodies(page.Messages))
	}
	var r rpc.MembersResult
	ada.call(rpc.MethodMembers, rpc.MembersParams{Channel: "lobby"}, &r)

	expect := c.operator("operators")
	history := []string{"--clickhouse", c.clickhouse}
	expect("topics", "parley.control", history...)
	expect("topics create", "All topics exist")
	expect("topics check", "0 errors")
	expect("doctor", "0 errors", history...)
	expect("tail --channel lobby --bodies", said[9])
	expect("history lobby", said[9], history...)
	expect("revoke ada", "are revoked")
	expect("revoke --token id-1", "The token is revoked")
	expect("bar eve", "is barred")
	expect("grant bob --channels room-* --allow join", "may join in room-*")
	expect("rules", "for ever")
	expect("format", "projector")
	expect("format raise 2 --yes", "in format 2 already")
	expect("verify", "0 differences", history...)
	expect("rebuild", "is the current one", history...)
	for _, r := range slices.Backward(running) {
		r.stop()
	}
	expect("epoch new --yes --recreate", "has begun", history...)
}

// operator carries out commands as a user of Kafka; the second argument is what
// they have to print.
func (c *cluster) operator(user string) func(command, says string, more ...string) {
	c.t.Helper()
	password := filepath.Join(c.t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("secret"), 0o600); err != nil {
		c.t.Fatal(err)
	}
	flags := []string{"--kafka", c.kafka, "--kafka-sasl", "PLAIN", "--kafka-user", user, "--kafka-password-file", password}
	return func(command, says string, more ...string) {
		c.t.Helper()
		var out bytes.Buffer
		args := slices.Concat(strings.Fields(command), flags, more)
		if cli.Run(args, &out, &out); !strings.Contains(out.String(), says) {
			c.t.Errorf("parley %s says %s", command, out.String())
		}
	}
}

// Without one of them every role ends, and reports what it may not do.
func TestMissingRightsAreSaid(t *testing.T) {
	t.Parallel()
	all := rights(t, "roles")
	without := func(missing kmsg.ACLOperation) []kfake.ACL {
		return slices.DeleteFunc(slices.Clone(all), func(a kfake.ACL) bool {
			return a.Resource == kmsg.ACLResourceTypeTopic && a.Operation == missing
		})
	}
	c := &cluster{t: t, clickhouse: embeddedtest.ClickHouse(t), logger: quietLogger, kafka: guarded(t, map[string][]kfake.ACL{
		"roles": all, "creators": without(kmsg.ACLOperationCreate), "readers": without(kmsg.ACLOperationRead), "writers": without(kmsg.ACLOperationWrite),
	})}
	c.end("creators", "connector", "projector") // a chat worker waits for a log
	c.createLog("roles")
	c.end("readers", "chatworker", "connector", "projector")
	c.end("writers", "chatworker", "connector") // a projector writes nothing to a log that is there
}

// end runs roles as a user, and expects that Kafka's refusal ends each.
func (c *cluster) end(user string, named ...string) {
	c.t.Helper()
	c.as = user
	w, err1 := chatworker.New(chatworker.Config{Base: roles.Base{Kafka: c.config("chatworker")}})
	p, err2 := projector.New(projector.Config{Base: roles.Base{Kafka: c.config("projector")}, ClickHouse: c.clickhouse})
	conn, err3 := connector.New(connector.Config{Base: roles.Base{Kafka: c.config("connector")}, ClickHouse: c.clickhouse, Listen: "127.0.0.1:0"})
	if err := errors.Join(err1, err2, err3); err != nil {
		c.t.Fatal(err)
	}
	run := map[string]func(context.Context) error{"chatworker": w.Run, "connector": conn.Run, "projector": p.Run}
	for _, role := range named {
		if err := run[role](soon(c.t)); err == nil || !strings.Contains(err.Error(), "Authorization Failed") {
			c.t.Errorf("without a right of the %s, a %s ends with %v", user, role, err)
		}
	}
}

// createLog begins a log.
func (c *cluster) createLog(user string) {
	c.t.Helper()
	c.as = user
	kafka, err := eventlog.New(c.config("test"))
	if err != nil {
		c.t.Fatal(err)
	}
	defer kafka.Close()
	if _, err := epoch.Open(soon(c.t), kafka, epoch.Options{}); err != nil {
		c.t.Fatal(err)
	}
}

// login is how a cluster's roles log in; nil for not at all.
func login(user string) eventlog.Config {
	if user == "" {
		return eventlog.Config{}
	}
	return eventlog.Config{SASL: plain.Mechanism{Username: user, Password: "secret"}}
}
