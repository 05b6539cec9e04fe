package check

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	"sigs.k8s.io/yaml"
)

// The job of operators' commands takes what it is for, with the variables that
// it gets, and the network's rules let it out.
func TestOperatorsJob(t *testing.T) {
	text, err := os.ReadFile(manifests + "/operator.yaml")
	if err != nil {
		t.Fatal(err)
	}
	jobs, err := decoded([]batchv1.Job(nil), text)
	if err != nil {
		t.Fatal(err)
	}
	o, err := built(t, "production", "", "")
	if err != nil {
		t.Fatal(err)
	}
	pod := jobs[0].Spec.Template
	c := pod.Spec.Containers[0]
	var environment []string
	for _, from := range c.EnvFrom {
		switch {
		case from.ConfigMapRef != nil:
			for _, m := range o.configs {
				if m.Name == from.ConfigMapRef.Name {
					for name, value := range m.Data {
						environment = append(environment, name+"="+value)
					}
				}
			}
		case o.secret(from.SecretRef.Name) != nil:
			for name, value := range o.secret(from.SecretRef.Name).StringData {
				environment = append(environment, name+"="+value)
			}
		}
	}
	slices.Sort(environment)
	if len(environment) < 5 {
		t.Errorf("it gets %q", environment)
	}
	for _, args := range [][]string{c.Args, {"verify"}, {"epoch", "new", "--yes"}} {
		err := accepts(args, environment)
		if err != nil {
			// The command does not have some of the roles' settings: it starts
			// all the same, and is asked about the others.
			if _, others, found := strings.Cut(err.Error(), "has no flag for the environment variable "); found {
				err = accepts(args, without(environment, strings.Split(strings.TrimSpace(others), ", ")))
			}
		}
		if err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
	for name, value := range o.policies[0].Spec.PodSelector.MatchLabels {
		if pod.Labels[name] != value {
			t.Errorf("the network's rules do not let it out: its label %s is %q", name, pod.Labels[name])
		}
	}
	if *jobs[0].Spec.BackoffLimit != 0 {
		t.Error("what failed is tried again")
	}
}

// without are the variables of an environment that have none of the names.
func without(environment, names []string) []string {
	return slices.DeleteFunc(slices.Clone(environment), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(names, name)
	})
}

// A real Prometheus makes of the pods' labels the jobs by which the alerts go.
func TestKubernetesPodsBecomeJobs(t *testing.T) {
	need(t, "prometheus", "apt-get install prometheus")
	text, err := os.ReadFile(manifests + "/prometheus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	// The pods as Kubernetes reports them, those of roles that not everybody runs too.
	o, err := built(t, "ingest", "", "")
	hooks, err2 := built(t, "hooks", "", "")
	if err := errors.Join(err, err2); err != nil {
		t.Fatal(err)
	}
	for _, d := range hooks.deployments {
		if d.Name == "parley-hooks" {
			o.deployments = append(o.deployments, d)
		}
	}
	label := strings.NewReplacer(".", "_", "/", "_", "-", "_")
	var found []any
	for i, d := range o.deployments {
		for j, p := range d.Spec.Template.Spec.Containers[0].Ports {
			labels := map[string]any{
				"__meta_kubernetes_namespace": "parley", "__meta_kubernetes_pod_name": d.Name + "-0",
				"__meta_kubernetes_pod_container_port_name": p.Name,
			}
			for name, value := range d.Spec.Template.Labels {
				labels["__meta_kubernetes_pod_label_"+label.Replace(name)] = value
			}
			found = append(found, map[string]any{"targets": []any{fmt.Sprintf("127.0.0.1:%d", 10+2*i+j)}, "labels": labels})
		}
	}
	scrape := config["scrape_configs"].([]any)[0].(map[string]any)
	delete(scrape, "kubernetes_sd_configs")
	scrape["static_configs"] = found
	dir, at := t.TempDir(), freeAddr(t)
	if text, err = yaml.Marshal(config); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("prometheus", "--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", dir, "--web.listen-address", at)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	var jobs []string
	eventually(t, "Prometheus knows its targets", func() bool {
		jobs = targets(at)
		return len(jobs) > 0
	})
	if got := strings.Join(jobs, " "); got != "parley-chatworker parley-connector parley-hooks parley-ingest parley-projector" {
		t.Errorf("the jobs are %q", got)
	}
}

// targets are the jobs of what a Prometheus scrapes, sorted.
func targets(at string) (jobs []string) {
	res, err := http.Get("http://" + at + "/api/v1/targets?state=active")
	if err != nil {
		return nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	var answer struct {
		Data struct {
			ActiveTargets []struct{ Labels map[string]string }
		}
	}
	if err != nil || json.Unmarshal(body, &answer) != nil {
		return nil
	}
	for _, target := range answer.Data.ActiveTargets {
		jobs = append(jobs, target.Labels["job"])
	}
	slices.Sort(jobs)
	return jobs
}
