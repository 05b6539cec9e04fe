package check

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
)

// The real Kafka starts with the compose file's settings for the image, which turns
// KAFKA_LOG_DIRS into log.dirs: listeners, roles and values fit together.
func TestKafkaTakesTheComposeSettings(t *testing.T) {
	need(t, "java", "Java 17 runs Apache Kafka")
	needFile(t, "deploy/kafka/libs/kafka-clients-*.jar", "run make kafka")
	s := compose(t, composeText(t), chosen).Services["kafka"]
	dir := t.TempDir()
	names := []string{"kafka:", "127.0.0.1:", "://:", "://127.0.0.1:"} // of the container's network
	ports := map[string]string{}
	for _, port := range []string{"9092", "9093", "9094"} {
		_, free, err := net.SplitHostPort(freeAddr(t))
		if err != nil {
			t.Fatal(err)
		}
		ports[port] = free
		names = append(names, ":"+port, ":"+free)
	}
	settings := []string{filepath.Join(dir, "node")}
	for name := range s.Environment {
		short, ok := strings.CutPrefix(name, "KAFKA_")
		if !ok || short == "HEAP_OPTS" || short == "LOG_DIRS" {
			continue
		}
		value := strings.NewReplacer(names[:4]...).Replace(variable(s, name))
		value = strings.NewReplacer(names[4:]...).Replace(value)
		settings = append(settings, strings.ToLower(strings.ReplaceAll(short, "_", "."))+"="+value)
	}
	node := start(t, root+"/deploy/kafka/node.sh", settings...)
	node.find("(Kafka Server started)")
	for port, at := range ports {
		conn, err := net.Dial("tcp", "127.0.0.1:"+at)
		if err != nil {
			t.Errorf("nobody listens in place of %s: %v", port, err)
			continue
		}
		_ = conn.Close()
	}
}
