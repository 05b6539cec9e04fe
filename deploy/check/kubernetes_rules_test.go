package check

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/go-units"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

const (
	// drainSlack is what a stop needs besides draining: the last flush, the
	// farewell in the log, and the last metrics.
	drainSlack = 15 * time.Second
	// noticed is how long ingresses take to see that a pod is not ready.
	noticed = 5 * time.Second
	// windowSize is what the void window of a partition takes (docs/sizing.md);
	// half as much again is for the rest.
	windowSize = 15 << 20
)

// problems is what is wrong with the objects, a sentence each.
func (o *objects) problems() []string {
	var all []string
	for i := range o.deployments {
		d := &o.deployments[i]
		rules := []func(*appsv1.Deployment) []string{o.versioned, o.secured}
		if role(d) {
			rules = append(rules, o.starts, o.stops, o.probed, o.limited, o.mounted, o.selected, o.connected)
		} else {
			rules = append(rules, o.issues)
		}
		for _, rule := range rules {
			for _, found := range rule(d) {
				all = append(all, d.Name+": "+found)
			}
		}
	}
	return slices.Concat(all, o.budgeted(), o.scaled(), o.served(), o.reached())
}

func container(d *appsv1.Deployment) corev1.Container {
	if len(d.Spec.Template.Spec.Containers) != 1 {
		return corev1.Container{}
	}
	return d.Spec.Template.Spec.Containers[0]
}

// environment resolves what a container gets from config maps, secrets and
// itself. Missing ones are problems.
func (o *objects) environment(d *appsv1.Deployment) (values map[string]string, found []string) {
	values = map[string]string{}
	for _, from := range container(d).EnvFrom {
		switch {
		case from.ConfigMapRef != nil:
			i := slices.IndexFunc(o.configs, func(c corev1.ConfigMap) bool { return c.Name == from.ConfigMapRef.Name })
			if i < 0 {
				found = append(found, "there is no config map "+from.ConfigMapRef.Name)
				continue
			}
			maps.Copy(values, o.configs[i].Data)
		case from.SecretRef != nil:
			if s := o.secret(from.SecretRef.Name); s != nil {
				maps.Copy(values, s.StringData)
			} else {
				found = append(found, "there is no secret "+from.SecretRef.Name)
			}
		}
	}
	for _, e := range container(d).Env {
		values[e.Name] = e.Value
	}
	return values, found
}

func (o *objects) secret(name string) *corev1.Secret {
	i := slices.IndexFunc(o.secrets, func(s corev1.Secret) bool { return s.Name == name })
	if i < 0 {
		return nil
	}
	return &o.secrets[i]
}

// role reports whether a deployment is one of the program's; the other one is
// the token endpoint.
func role(d *appsv1.Deployment) bool { return strings.HasPrefix(d.Name, "parley-") }

func (o *objects) versioned(d *appsv1.Deployment) []string {
	image := container(d).Image
	ref, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return []string{err.Error()}
	}
	if tag, ok := ref.(reference.Tagged); !ok || !exactVersion.MatchString(tag.Tag()) {
		return []string{fmt.Sprintf("the image %s names no version", image)}
	}
	return nil
}

// starts checks arguments and environment with the program itself.
func (o *objects) starts(d *appsv1.Deployment) []string {
	values, found := o.environment(d)
	c := container(d)
	var environment []string
	for name, value := range values {
		environment = append(environment, name+"="+o.here(d, value))
		if strings.HasPrefix(name, "OTEL_") && !slices.Contains(standard, name) {
			found = append(found, name+" is not a variable of OpenTelemetry that we use")
		}
	}
	slices.Sort(environment)
	if len(c.Command) > 0 || len(c.Args) == 0 || "parley-"+c.Args[0] != d.Name {
		found = append(found, fmt.Sprintf("it runs %v %v", c.Command, c.Args))
	}
	if err := accepts(c.Args, environment); err != nil {
		found = append(found, err.Error())
	}
	return found
}

// stops compares the time that a pod is given to stop with what a drain takes.
func (o *objects) stops(d *appsv1.Deployment) []string {
	grace := 30 * time.Second
	if s := d.Spec.Template.Spec.TerminationGracePeriodSeconds; s != nil {
		grace = time.Duration(*s) * time.Second
	}
	values, _ := o.environment(d)
	if _, drains := values["PARLEY_DRAIN"]; !drains {
		if grace < 2*drainSlack {
			return []string{fmt.Sprintf("it is killed after %v", grace)}
		}
		return nil
	}
	delay, err1 := time.ParseDuration(values["PARLEY_DRAIN_DELAY"])
	over, err2 := time.ParseDuration(values["PARLEY_DRAIN"])
	if err1 != nil || err2 != nil {
		return []string{"its drain is not a duration"}
	}
	if grace < delay+over+drainSlack {
		return []string{fmt.Sprintf("it is killed after %v, and takes %v to drain", grace, delay+over)}
	}
	if delay < noticed {
		return []string{fmt.Sprintf("the ingress has %v to notice that it stops", delay)}
	}
	return nil
}

// probed compares probes and ports with where the program listens.
func (o *objects) probed(d *appsv1.Deployment) (found []string) {
	c := container(d)
	values, _ := o.environment(d)
	named := map[string]string{"admin": "PARLEY_ADMIN"}
	if values["PARLEY_LISTEN"] != "" {
		named["chat"] = "PARLEY_LISTEN"
	}
	if values["PARLEY_API"] != "" {
		named["api"] = "PARLEY_API"
	}
	for name, variable := range named {
		if port := portOf(c, name); values[variable] != ":"+strconv.Itoa(port) {
			found = append(found, fmt.Sprintf("the port %s is %d, %s says %s", name, port, variable, values[variable]))
		}
	}
	for what, p := range map[string]struct {
		probe *corev1.Probe
		path  string
	}{"start": {c.StartupProbe, "/healthz"}, "liveness": {c.LivenessProbe, "/healthz"}, "readiness": {c.ReadinessProbe, "/readyz"}} {
		if p.probe == nil || p.probe.HTTPGet == nil {
			found = append(found, "nobody asks for its "+what)
		} else if get := p.probe.HTTPGet; get.Path != p.path || get.Port.String() != "admin" {
			found = append(found, fmt.Sprintf("its %s is asked at %s of port %s", what, get.Path, get.Port.String()))
		}
	}
	scrape := d.Spec.Template.Annotations
	if scrape["prometheus.io/scrape"] != "true" || scrape["prometheus.io/path"] != "/metrics" || ":"+scrape["prometheus.io/port"] != values["PARLEY_ADMIN"] {
		found = append(found, fmt.Sprintf("Prometheus is sent to port %s, PARLEY_ADMIN says %s", scrape["prometheus.io/port"], values["PARLEY_ADMIN"]))
	}
	return found
}

func portOf(c corev1.Container, name string) int {
	for _, p := range c.Ports {
		if p.Name == name {
			return int(p.ContainerPort)
		}
	}
	return 0
}

func is(b *bool, want bool) bool { return b != nil && *b == want }

func (o *objects) secured(d *appsv1.Deployment) (found []string) {
	pod := d.Spec.Template.Spec
	if pod.SecurityContext == nil || !is(pod.SecurityContext.RunAsNonRoot, true) {
		found = append(found, "it may run as root")
	}
	if pod.SecurityContext == nil || pod.SecurityContext.SeccompProfile == nil || pod.SecurityContext.SeccompProfile.Type != corev1.SeccompProfileTypeRuntimeDefault {
		found = append(found, "it may make any system call")
	}
	s := container(d).SecurityContext
	if s == nil || !is(s.ReadOnlyRootFilesystem, true) {
		found = append(found, "it may write to its image")
	}
	if s == nil || !is(s.AllowPrivilegeEscalation, false) {
		found = append(found, "it may gain privileges")
	}
	if s == nil || s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") {
		found = append(found, "it keeps capabilities")
	}
	if !is(pod.EnableServiceLinks, false) {
		found = append(found, "variables of services would look like flags")
	}
	i := slices.IndexFunc(o.accounts, func(a corev1.ServiceAccount) bool { return a.Name == pod.ServiceAccountName })
	if i < 0 {
		found = append(found, "there is no account "+pod.ServiceAccountName)
	}
	if !is(pod.AutomountServiceAccountToken, false) || i >= 0 && !is(o.accounts[i].AutomountServiceAccountToken, false) {
		found = append(found, "it is given a token of the API server")
	}
	return found
}

func (o *objects) limited(d *appsv1.Deployment) (found []string) {
	r := container(d).Resources
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if requested := r.Requests[name]; requested.IsZero() {
			found = append(found, fmt.Sprintf("it requests no %s", name))
		}
	}
	limit := r.Limits.Memory().Value()
	if limit == 0 {
		return append(found, "there is no limit of memory")
	}
	values, _ := o.environment(d)
	told, err := units.RAMInBytes(values["GOMEMLIMIT"])
	if err != nil || told > limit*9/10 {
		found = append(found, fmt.Sprintf("GOMEMLIMIT %s is more than nine tenths of its %d bytes of memory", values["GOMEMLIMIT"], limit))
	}
	partitions, err := strconv.Atoi(values["PARLEY_PARTITIONS"])
	if shares := values["PARLEY_LISTEN"] == "" && err == nil; shares && told < int64(partitions)*windowSize*3/2 {
		found = append(found, fmt.Sprintf("GOMEMLIMIT %s is too little for one pod that has all %d partitions", values["GOMEMLIMIT"], partitions))
	}
	return found
}

// here is a file with the same content where a value names a file of a secret
// that is mounted: the program reads it when it is asked whether it would start.
func (o *objects) here(d *appsv1.Deployment, value string) string {
	for _, v := range d.Spec.Template.Spec.Volumes {
		for _, m := range container(d).VolumeMounts {
			if v.Secret == nil || m.Name != v.Name || path.Dir(value) != path.Clean(m.MountPath) {
				continue
			}
			if s := o.secret(v.Secret.SecretName); s != nil {
				if text, ok := s.StringData[path.Base(value)]; ok {
					return fileOf(text)
				}
			}
		}
	}
	return value
}

// mounted looks for the files that variables name.
func (o *objects) mounted(d *appsv1.Deployment) (found []string) {
	values, _ := o.environment(d)
	there, found := o.files(d)
	for name, value := range values {
		if strings.HasPrefix(name, "PARLEY_") && strings.HasPrefix(value, "/") && !there[value] {
			found = append(found, fmt.Sprintf("%s is %s, where nothing is mounted", name, value))
		}
	}
	return found
}

// files are those of secrets that are mounted, by path.
func (o *objects) files(d *appsv1.Deployment) (there map[string]bool, found []string) {
	there = map[string]bool{}
	for _, v := range d.Spec.Template.Spec.Volumes {
		if v.Secret == nil {
			continue
		}
		s := o.secret(v.Secret.SecretName)
		if s == nil {
			found = append(found, "there is no secret "+v.Secret.SecretName)
			continue
		}
		for _, m := range container(d).VolumeMounts {
			for key := range s.StringData {
				there[path.Join(m.MountPath, key)] = there[path.Join(m.MountPath, key)] || m.Name == v.Name && m.ReadOnly
			}
		}
	}
	return there, found
}
