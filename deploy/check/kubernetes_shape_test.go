package check

import (
	"cmp"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// matches reports whether a selector selects the pods of a deployment.
func matches(s *metav1.LabelSelector, d *appsv1.Deployment) bool {
	selector, err := metav1.LabelSelectorAsSelector(s)
	return err == nil && selector.Matches(labels.Set(d.Spec.Template.Labels))
}

// selecting returns the deployments whose pods a selector selects.
func (o *objects) selecting(s *metav1.LabelSelector) (found []*appsv1.Deployment) {
	for i := range o.deployments {
		if matches(s, &o.deployments[i]) {
			found = append(found, &o.deployments[i])
		}
	}
	return found
}

// selected compares a deployment's selectors with its own pods, and with those
// of others.
func (o *objects) selected(d *appsv1.Deployment) (found []string) {
	if !matches(d.Spec.Selector, d) {
		found = append(found, "its selector does not match its own pods")
	}
	if len(o.selecting(d.Spec.Selector)) > 1 {
		found = append(found, "its selector matches the pods of others")
	}
	spread := map[string]bool{}
	for _, s := range d.Spec.Template.Spec.TopologySpreadConstraints {
		spread[s.TopologyKey] = matches(s.LabelSelector, d)
	}
	for _, key := range []string{"topology.kubernetes.io/zone", "kubernetes.io/hostname"} {
		if !spread[key] {
			found = append(found, "it is not spread over "+key)
		}
	}
	return found
}

// scaler returns the autoscaler of a deployment, or nil.
func (o *objects) scaler(deployment string) *autoscalingv2.HorizontalPodAutoscaler {
	i := slices.IndexFunc(o.scalers, func(s autoscalingv2.HorizontalPodAutoscaler) bool { return s.Spec.ScaleTargetRef.Name == deployment })
	if i < 0 {
		return nil
	}
	return &o.scalers[i]
}

// budgeted asks of every budget that it has pods, and lets one of them go.
func (o *objects) budgeted() (found []string) {
	guarded := map[string]bool{}
	for _, b := range o.budgets {
		of := o.selecting(b.Spec.Selector)
		if len(of) != 1 {
			found = append(found, fmt.Sprintf("budget %s: it selects no pods, or those of several", b.Name))
			continue
		}
		guarded[of[0].Name] = true
		pods := 1
		if s := o.scaler(of[0].Name); s != nil && s.Spec.MinReplicas != nil {
			pods = int(*s.Spec.MinReplicas)
		}
		if may := disruptions(b.Spec.MinAvailable, b.Spec.MaxUnavailable, pods); may < 1 {
			found = append(found, fmt.Sprintf("budget %s: none of its %d pods may ever be moved", b.Name, pods))
		} else if may >= pods {
			found = append(found, fmt.Sprintf("budget %s: all of its %d pods may go at once", b.Name, pods))
		}
		if p := b.Spec.UnhealthyPodEvictionPolicy; p == nil || *p != policyv1.AlwaysAllow {
			found = append(found, fmt.Sprintf("budget %s: pods that are not ready, as all are without Kafka, hold up the draining of a node", b.Name))
		}
	}
	for _, d := range o.deployments {
		if role(&d) && !guarded[d.Name] {
			found = append(found, d.Name+": it has no disruption budget")
		}
	}
	return found
}

// disruptions is how many of the pods a budget lets go, rounded as Kubernetes
// does.
func disruptions(atLeast, atMost *intstr.IntOrString, pods int) int {
	if atMost != nil {
		n, err := intstr.GetScaledValueFromIntOrPercent(atMost, pods, true)
		if err != nil {
			return 0
		}
		return n
	}
	if atLeast == nil {
		return pods
	}
	n, err := intstr.GetScaledValueFromIntOrPercent(atLeast, pods, true)
	if err != nil {
		return 0
	}
	return pods - n
}

func (o *objects) scaled() (found []string) {
	for _, s := range o.scalers {
		i := slices.IndexFunc(o.deployments, func(d appsv1.Deployment) bool { return d.Name == s.Spec.ScaleTargetRef.Name })
		if i < 0 || s.Spec.ScaleTargetRef.Kind != "Deployment" || s.Spec.ScaleTargetRef.APIVersion != "apps/v1" {
			found = append(found, fmt.Sprintf("autoscaler %s: there is no deployment %s", s.Name, s.Spec.ScaleTargetRef.Name))
			continue
		}
		if s.Spec.MinReplicas == nil || *s.Spec.MinReplicas < 2 {
			found = append(found, fmt.Sprintf("autoscaler %s: a single pod would be a gap at every move", s.Name))
		}
		if len(s.Spec.Metrics) == 0 {
			found = append(found, fmt.Sprintf("autoscaler %s: nothing is measured", s.Name))
		}
		values, _ := o.environment(&o.deployments[i])
		partitions, err := strconv.Atoi(values["PARLEY_PARTITIONS"])
		if values["PARLEY_LISTEN"] == "" && (err != nil || int(s.Spec.MaxReplicas) > partitions) {
			found = append(found, fmt.Sprintf("%s: up to %d pods share %d partitions", s.Spec.ScaleTargetRef.Name, s.Spec.MaxReplicas, partitions))
		}
	}
	for _, d := range o.deployments {
		if !role(&d) {
			continue
		}
		if o.scaler(d.Name) == nil {
			found = append(found, d.Name+": nothing scales it")
		}
		if d.Spec.Replicas != nil {
			found = append(found, d.Name+": every apply would undo what the autoscaler did")
		}
	}
	return found
}

// served follows the way in: ingress, service, pods.
func (o *objects) served() (found []string) {
	ports := map[string][]string{} // of services, by name
	for _, s := range o.services {
		of := o.selecting(&metav1.LabelSelector{MatchLabels: s.Spec.Selector})
		if len(of) != 1 {
			found = append(found, fmt.Sprintf("service %s: it selects no pods, or those of several", s.Name))
			continue
		}
		for _, p := range s.Spec.Ports {
			ports[s.Name] = append(ports[s.Name], p.Name)
			if portOf(container(of[0]), p.TargetPort.String()) == 0 {
				found = append(found, fmt.Sprintf("service %s: its pods have no port %s", s.Name, p.TargetPort.String()))
			}
		}
	}
	for _, in := range o.ingresses {
		sockets := false
		for _, rule := range in.Spec.Rules {
			if rule.Host != o.ingresses[0].Spec.Rules[0].Host {
				found = append(found, fmt.Sprintf("ingress %s: it is not on the host of the page", in.Name))
			}
			for _, p := range rule.HTTP.Paths {
				sockets = sockets || p.Backend.Service.Name == "parley-connector"
				if to := p.Backend.Service; !slices.Contains(ports[to.Name], to.Port.Name) {
					found = append(found, fmt.Sprintf("ingress %s: the service %s has no port %s", in.Name, to.Name, to.Port.Name))
				}
			}
		}
		if len(in.Spec.TLS) == 0 {
			found = append(found, fmt.Sprintf("ingress %s: it has no certificate", in.Name))
		}
		if sockets {
			for _, problem := range webSockets(&in) {
				found = append(found, fmt.Sprintf("ingress %s: %s", in.Name, problem))
			}
		}
	}
	return found
}

// pings is how long a WebSocket may be silent: the time between pings and for
// their answer, by default 25 s and 8 s.
const pings = 33

// webSockets compares an ingress with what lasting connections need.
func webSockets(in *networkingv1.Ingress) (found []string) {
	const nginx = "nginx.ingress.kubernetes.io/"
	for _, name := range []string{"proxy-read-timeout", "proxy-send-timeout"} {
		if s, err := strconv.Atoi(in.Annotations[nginx+name]); err != nil || s <= pings {
			found = append(found, fmt.Sprintf("it gives up after %s s of silence (%s)", in.Annotations[nginx+name], name))
		}
	}
	if in.Annotations[nginx+"proxy-http-version"] != "1.1" || in.Annotations[nginx+"proxy-buffering"] != "off" {
		found = append(found, "it buffers, or speaks a version of HTTP without WebSockets")
	}
	return found
}

// issues compares the token endpoint's arguments with what it is given.
func (o *objects) issues(d *appsv1.Deployment) (found []string) {
	c := container(d)
	there, found := o.files(d)
	for i, arg := range c.Args {
		if strings.HasPrefix(arg, "/") && !there[arg] {
			found = append(found, "there is no "+arg)
		}
		if port := portOf(c, "http"); i > 0 && c.Args[i-1] == "-listen" && arg != ":"+strconv.Itoa(port) {
			found = append(found, fmt.Sprintf("the port http is %d, it listens at %s", port, arg))
		}
	}
	if n := d.Spec.Replicas; n != nil && *n != 1 {
		found = append(found, fmt.Sprintf("%d pods do not know each other's logins", *n))
	}
	for what, p := range map[string]*corev1.Probe{"liveness": c.LivenessProbe, "readiness": c.ReadinessProbe} {
		if p == nil || p.HTTPGet == nil {
			found = append(found, "nobody asks for its "+what)
		} else if get := p.HTTPGet; get.Path != "/auth/health" || get.Port.String() != "http" {
			found = append(found, fmt.Sprintf("its %s is asked at %s", what, get.Path))
		}
	}
	return found
}

// connected compares the servers that a role names with what the network lets
// out.
func (o *objects) connected(d *appsv1.Deployment) (found []string) {
	values, _ := o.environment(d)
	at := strings.Split(values["PARLEY_KAFKA"], ",")
	for _, name := range []string{"PARLEY_CLICKHOUSE", "OTEL_EXPORTER_OTLP_ENDPOINT"} {
		if u, err := url.Parse(values[name]); err == nil && u.Host != "" {
			at = append(at, u.Host)
		}
	}
	if u, err := url.Parse(values["PARLEY_URL"]); err == nil && u.Host != "" {
		port := cmp.Or(u.Port(), map[string]string{"https": "443", "http": "80"}[u.Scheme])
		at = append(at, net.JoinHostPort(u.Hostname(), port))
	}
	for _, address := range at {
		_, text, err := net.SplitHostPort(address)
		port, err2 := strconv.Atoi(text)
		if err != nil || err2 != nil {
			continue // the program itself says so
		}
		let := func(p *networkingv1.NetworkPolicy) bool {
			return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool { return lets(r.Ports, port) })
		}
		if !o.allowed(d, let) {
			found = append(found, fmt.Sprintf("no network policy lets %s out to port %d", d.Name, port))
		}
	}
	return found
}

// reached asks that each port of a pod can be reached from somewhere.
func (o *objects) reached() (found []string) {
	for i := range o.deployments {
		d := &o.deployments[i]
		for _, port := range container(d).Ports {
			let := func(p *networkingv1.NetworkPolicy) bool {
				return slices.ContainsFunc(p.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool { return lets(r.Ports, int(port.ContainerPort)) })
			}
			if !o.allowed(d, let) {
				found = append(found, fmt.Sprintf("no network policy lets in port %d of %s", port.ContainerPort, d.Name))
			}
		}
	}
	return found
}

func (o *objects) allowed(d *appsv1.Deployment, let func(*networkingv1.NetworkPolicy) bool) bool {
	return slices.ContainsFunc(o.policies, func(p networkingv1.NetworkPolicy) bool {
		return matches(&p.Spec.PodSelector, d) && let(&p)
	})
}

func lets(ports []networkingv1.NetworkPolicyPort, port int) bool {
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		last := p.Port.IntValue()
		if p.EndPort != nil {
			last = int(*p.EndPort)
		}
		return p.Port.IntValue() <= port && port <= last
	})
}
