package check

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
	"github.com/docker/go-units"
)

// problems is what is wrong with a compose file, a sentence each.
func problems(p *types.Project) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		s := p.Services[name]
		for _, rule := range []func(*types.Project, types.ServiceConfig) []string{
			image, health, limits, memory, merges, restarts, stopped, published, mounts, secret, closed, program, addresses, otel, waits,
		} {
			for _, found := range rule(p, s) {
				all = append(all, name+": "+found)
			}
		}
	}
	return slices.Concat(all, shape(p), kafka(p), balancer(p), entrance(p), scraped(p))
}

// ours reports whether a service runs this program.
func ours(s types.ServiceConfig) bool { return strings.HasPrefix(s.Image, "parley:") }

// servicesOf returns the services that run a command of the program, sorted.
func servicesOf(p *types.Project, command string) []types.ServiceConfig {
	var found []types.ServiceConfig
	for _, name := range slices.Sorted(maps.Keys(p.Services)) {
		if s := p.Services[name]; ours(s) && len(s.Command) > 0 && s.Command[0] == command {
			found = append(found, s)
		}
	}
	return found
}

// environment returns the variables of a service as NAME=value, sorted.
func environment(s types.ServiceConfig) []string {
	var all []string
	for name, value := range s.Environment {
		if value != nil {
			all = append(all, name+"="+*value)
		}
	}
	slices.Sort(all)
	return all
}

// variable returns the value of a variable of a service, or "".
func variable(s types.ServiceConfig, name string) string {
	if value := s.Environment[name]; value != nil {
		return *value
	}
	return ""
}

// exactVersion has at least a minor number: a tag with a major one alone moves.
var exactVersion = regexp.MustCompile(`^v?\d+\.\d+`)

func image(_ *types.Project, s types.ServiceConfig) []string {
	if s.Build != nil {
		return nil
	}
	ref, err := reference.ParseNormalizedNamed(s.Image)
	if err != nil {
		return []string{err.Error()}
	}
	if tag, ok := ref.(reference.Tagged); !ok || !exactVersion.MatchString(tag.Tag()) {
		return []string{fmt.Sprintf("the image %s names no version", s.Image)}
	}
	return nil
}

func health(_ *types.Project, s types.ServiceConfig) []string {
	h := s.HealthCheck
	if h == nil || h.Disable || len(h.Test) < 2 || h.Test[0] == "NONE" {
		return []string{"there is no health check"}
	}
	if h.Interval == nil || h.Timeout == nil || h.StartPeriod == nil || h.Retries == nil {
		return []string{"its health check has no interval, timeout, retries or start_period"}
	}
	if h.StartInterval != nil {
		return []string{"its health check has a start_interval, which Docker below 25 refuses"}
	}
	if strings.Contains(strings.Join(h.Test, " "), "/opt/kafka/bin/") {
		return []string{"its health check starts a second JVM with the broker's heap"}
	}
	if !ours(s) {
		return nil
	}
	if h.Test[0] != "CMD" || h.Test[1] != "/parley" {
		return []string{fmt.Sprintf("its health check %v needs a shell, and the image has none", h.Test)}
	}
	if err := accepts(h.Test[2:], environment(s)); err != nil && !strings.Contains(err.Error(), "has no flag for the environment variable") {
		return []string{"health check: " + err.Error()}
	}
	return nil
}

func limits(_ *types.Project, s types.ServiceConfig) (found []string) {
	if s.Deploy == nil || s.Deploy.Resources.Limits == nil {
		return []string{"there are no limits"}
	}
	l := s.Deploy.Resources.Limits
	if l.NanoCPUs <= 0 {
		found = append(found, "there is no limit of processors")
	}
	if l.MemoryBytes <= 0 {
		found = append(found, "there is no limit of memory")
	}
	return found
}

// memory compares Go's limit of memory with what the container has.
func memory(_ *types.Project, s types.ServiceConfig) []string {
	if !ours(s) || s.Deploy == nil || s.Deploy.Resources.Limits == nil {
		return nil
	}
	told, err := units.RAMInBytes(variable(s, "GOMEMLIMIT"))
	if err != nil {
		return []string{"GOMEMLIMIT: " + err.Error()}
	}
	if has := int64(s.Deploy.Resources.Limits.MemoryBytes); told > has*9/10 {
		return []string{fmt.Sprintf("GOMEMLIMIT %d is more than nine tenths of its %d bytes of memory", told, has)}
	}
	return nil
}

func restarts(_ *types.Project, s types.ServiceConfig) []string {
	if s.Restart != "unless-stopped" {
		return []string{"it is not restarted when it ends"}
	}
	return nil
}

// stopped compares the time that a role is given to stop with what it takes.
func stopped(_ *types.Project, s types.ServiceConfig) []string {
	if !ours(s) {
		return nil
	}
	if s.StopGracePeriod == nil {
		return []string{"it is killed after 10s"}
	}
	takes := drainSlack
	for _, name := range []string{"PARLEY_DRAIN_DELAY", "PARLEY_DRAIN"} {
		d, _ := time.ParseDuration(variable(s, name)) // the program itself refuses an invalid one
		takes += d
	}
	if grace := time.Duration(*s.StopGracePeriod); grace < takes {
		return []string{fmt.Sprintf("it is killed after %v, and takes up to %v to stop", grace, takes)}
	}
	return nil
}

func published(_ *types.Project, s types.ServiceConfig) (found []string) {
	for _, port := range s.Ports {
		if port.HostIP != "127.0.0.1" {
			found = append(found, fmt.Sprintf("port %s is published beyond this machine", port.Published))
		}
	}
	return found
}

// mounts looks for every file that is mounted, and for a volume where a server
// keeps its data.
func mounts(p *types.Project, s types.ServiceConfig) (found []string) {
	targets := map[string]bool{}
	for _, v := range s.Volumes {
		switch v.Type {
		case types.VolumeTypeBind:
			if _, err := os.Stat(filepath.Clean(v.Source)); err != nil {
				found = append(found, err.Error())
			}
		case types.VolumeTypeVolume:
			if _, ok := p.Volumes[v.Source]; ok {
				targets[v.Target] = true
			}
		}
	}
	kept := map[string]string{"kafka": variable(s, "KAFKA_LOG_DIRS"), "clickhouse": "/var/lib/clickhouse"}
	if target, ok := kept[s.Name]; ok && !targets[target] {
		found = append(found, "nothing is mounted at "+target+", where its data is")
	}
	return found
}

// program compares command, flags and environment with those that the program
// has.
func program(p *types.Project, s types.ServiceConfig) []string {
	if !ours(s) {
		return nil
	}
	if s.Build == nil {
		return []string{"nothing says how its image is built"}
	}
	if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
		return []string{err.Error()}
	}
	if len(s.Command) == 0 {
		return []string{"it has no command"}
	}
	if err := accepts(s.Command, here(p, environment(s))); err != nil {
		return []string{err.Error()}
	}
	return nil
}
