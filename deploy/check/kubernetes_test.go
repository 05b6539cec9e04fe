package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const manifests = root + "/deploy/kubernetes"

// overlays are what people apply; the base alone is not one.
var overlays = []string{"production", "demo", "api", "hooks", "ingest"}

// objects are Kubernetes' objects by kind, as the API server reads them.
type objects struct {
	deployments []appsv1.Deployment
	budgets     []policyv1.PodDisruptionBudget
	scalers     []autoscalingv2.HorizontalPodAutoscaler
	services    []corev1.Service
	ingresses   []networkingv1.Ingress
	policies    []networkingv1.NetworkPolicy
	accounts    []corev1.ServiceAccount
	configs     []corev1.ConfigMap
	secrets     []corev1.Secret
	namespaces  []corev1.Namespace
}

// read decodes one object into Kubernetes' own types. A field that they do not
// have, or have twice, is an error.
func (o *objects) read(text []byte) error {
	var head struct{ APIVersion, Kind string }
	if err := yaml.Unmarshal(text, &head); err != nil {
		return err
	}
	var err error
	switch head.APIVersion + " " + head.Kind {
	case "apps/v1 Deployment":
		o.deployments, err = decoded(o.deployments, text)
	case "policy/v1 PodDisruptionBudget":
		o.budgets, err = decoded(o.budgets, text)
	case "autoscaling/v2 HorizontalPodAutoscaler":
		o.scalers, err = decoded(o.scalers, text)
	case "v1 Service":
		o.services, err = decoded(o.services, text)
	case "networking.k8s.io/v1 Ingress":
		o.ingresses, err = decoded(o.ingresses, text)
	case "networking.k8s.io/v1 NetworkPolicy":
		o.policies, err = decoded(o.policies, text)
	case "v1 ServiceAccount":
		o.accounts, err = decoded(o.accounts, text)
	case "v1 ConfigMap":
		o.configs, err = decoded(o.configs, text)
	case "v1 Secret":
		o.secrets, err = decoded(o.secrets, text)
	case "v1 Namespace":
		o.namespaces, err = decoded(o.namespaces, text)
	default:
		err = fmt.Errorf("%s %s is a kind that nobody expects here", head.APIVersion, head.Kind)
	}
	return err
}

func decoded[T any](to []T, text []byte) ([]T, error) {
	var one T
	asJSON, err := yaml.YAMLToJSONStrict(text)
	if err != nil {
		return nil, err
	}
	strict, err := json.UnmarshalStrict(asJSON, &one)
	if err := errors.Join(append(strict, err)...); err != nil {
		return nil, err
	}
	return append(to, one), nil
}

// built builds an overlay as `kubectl apply -k` does, with one text replaced
// where old is not empty, and reads it. The secrets are those of the example.
func built(t *testing.T, overlay, old, new string) (*objects, error) {
	t.Helper()
	files, replaced := filesys.MakeFsInMemory(), old == ""
	err := filepath.WalkDir(manifests, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(manifests, path)
		if err != nil {
			return err
		}
		if old != "" && strings.Contains(string(text), old) {
			text, replaced = []byte(strings.ReplaceAll(string(text), old, new)), true
		}
		return files.WriteFile("/"+relative, text)
	})
	if err != nil {
		t.Fatal(err)
	}
	if !replaced {
		t.Fatalf("no manifest has %q", old)
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+overlay)
	if err != nil {
		return nil, err
	}
	o := &objects{}
	for _, r := range resources.Resources() {
		text, err := r.AsYAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := o.read(text); err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.GetKind(), r.GetName(), err)
		}
	}
	examples, err := files.ReadFile("/secrets.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range strings.Split(string(examples), "\n---\n") {
		if err := o.read([]byte(text)); err != nil {
			return nil, fmt.Errorf("the examples of secrets: %w", err)
		}
	}
	o.fillSecrets(t)
	return o, nil
}

// keyOf is what the examples of secrets have in place of a file that
// scripts/keys.sh makes.
const keyOf = "the text of keys/"

// fillSecrets puts the files there.
func (o *objects) fillSecrets(t *testing.T) {
	t.Helper()
	for _, s := range o.secrets {
		for key, value := range s.StringData {
			if name, ok := strings.CutPrefix(value, keyOf); ok {
				s.StringData[key] = fileText(t, filepath.Join(chosen["PARLEY_SECRETS"], name))
			}
		}
	}
}

// Whoever applies the examples as they are gets connectors that do not start,
// not ones that trust a key which everybody knows.
func TestExamplesOfSecretsAreRefused(t *testing.T) {
	err := accepts([]string{"connector", "--auth-key", fileOf(keyOf + "token.pub"), "--admin", ":9464"}, nil)
	if err == nil || !strings.Contains(err.Error(), "--auth-key") {
		t.Errorf("the example of a key is taken: %v", err)
	}
	if text := fileText(t, manifests+"/secrets.example.yaml"); strings.Contains(text, "BEGIN") {
		t.Error("there is a key among the examples of secrets")
	}
}

func TestKubernetesManifestsAreRight(t *testing.T) {
	for _, overlay := range overlays {
		o, err := built(t, overlay, "", "")
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range o.problems() {
			t.Errorf("%s: %s", overlay, p)
		}
		more, entries, rules := map[string]int{"demo": 1, "hooks": 1, "ingest": 1}[overlay], map[string]int{"demo": 1}[overlay], map[string]int{"demo": 1, "api": 1, "hooks": 1}[overlay]
		if len(o.deployments) != 3+more || len(o.namespaces) != 1 || len(o.ingresses) != 1+entries || len(o.policies) != 2+rules {
			t.Errorf("%s: %d deployments, %d namespaces, %d ingresses, %d network policies", overlay, len(o.deployments), len(o.namespaces), len(o.ingresses), len(o.policies))
		}
	}
}

// Each rule finds what it is there for.
func TestWrongKubernetesManifestsAreCaught(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"-key, /etc/token-endpoint/token.key", "-key, /etc/token-endpoint/key", "token-endpoint: there is no /etc/token-endpoint/key"},
		{"[-listen, \":8090\"", "[-listen, \":8091\"", "token-endpoint: the port http is 8090, it listens at :8091"},
		{"replicas: 1", "replicas: 2", "token-endpoint: 2 pods do not know each other's logins"},
		{"path: /auth/health", "path: /healthz", "token-endpoint: its readiness is asked at /healthz"},
		{"secretName: token-endpoint", "secretName: parley-auth", "token-endpoint: there is no /etc/token-endpoint/token.key"},
		{"host: chat.example.com\n      http:\n        paths:\n          - path: /auth/", "host: example.com\n      http:\n        paths:\n          - path: /auth/", "ingress token-endpoint: it is not on the host of the page"},
		{"port: 8090, protocol: TCP", "port: 8080, protocol: TCP", "no network policy lets in port 8090 of token-endpoint"},
		{"parley-token-endpoint, newTag: v0.1.0", "parley-token-endpoint, newTag: latest", "the image registry.example.com/parley-token-endpoint:latest names no version"},
		{"minReadySeconds", "minReadySecond", `unknown field "spec.minReadySecond"`},
		{"readOnly: true", "readonly: true", `unknown field "spec.template.spec.containers[0].volumeMounts[0].readonly"`},
		{"apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n", "nobody expects"},
		{"args: [connector]", "args: [conector]", "conector"},
		{"args: [connector]", "args: [connector, --lisen, ':8080']", "parley-connector: exit status 1: parley: unknown flag --lisen"},
		{"PARLEY_DRAIN: 60s", "PARLEY_DRAINS: 60s", "PARLEY_DRAINS"},
		{"PARLEY_DRAIN: 60s", "PARLEY_DRAIN: soon", "soon"},
		{"PARLEY_DRAIN: 60s", "PARLEY_DRAIN: 100s", "parley-connector: it is killed after 2m0s, and takes 1m55s to drain"},
		{"PARLEY_DRAIN_DELAY: 15s", "PARLEY_DRAIN_DELAY: 2s", "parley-connector: the ingress has 2s to notice"},
		{"PARLEY_CLICKHOUSE: clickhouse://", "PARLEY_CLICKHOUSE: http://", "parley-projector: exit status 1: parley: --clickhouse"},
		{"PARLEY_KAFKA_SASL: SCRAM-SHA-512", "PARLEY_KAFKA_SASL: OAUTH", "parley-chatworker: exit status 1: parley: --kafka-sasl"},
		{"PARLEY_KAFKA_PASSWORD: password", "PARLEY_KAFKA_PASSPHRASE: password", "parley-connector: exit status 1: parley: `parley connector` has no flag for the environment variable PARLEY_KAFKA_PASSPHRASE"},
		{"PARLEY_PARTITIONS: \"48\"", "PARLEY_PARTITIONS: \"8\"", "parley-chatworker: up to 12 pods share 8 partitions"},
		{"name: parley-auth", "name: parley-key", "parley-connector: there is no secret parley-auth"},
		{"name: parley-clickhouse\nstringData", "name: parley-history\nstringData", "there is no secret parley-clickhouse"},
		{"mountPath: /etc/parley/auth", "mountPath: /etc/parley/other", "PARLEY_AUTH_KEY is /etc/parley/auth/key, where nothing is mounted"},
		{"configMapRef: { name: parley-connector }", "configMapRef: { name: parley-conector }", "there is no config map parley-conector"},
		{"matchLabels: { app.kubernetes.io/name: parley-projector }\n  template", "matchLabels: { app.kubernetes.io/name: parley-projecter }\n  template", "parley-projector: its selector does not match its own pods"},
		{"selector: { app.kubernetes.io/name: parley-connector }", "selector: { app.kubernetes.io/name: parley-conector }", "service parley-connector: it selects no pods"},
		{"AlwaysAllow\n  selector:\n    matchLabels: { app.kubernetes.io/name: parley-chatworker }", "AlwaysAllow\n  selector:\n    matchLabels: { app.kubernetes.io/name: parley-worker }", "budget parley-chatworker: it selects no pods"},
		{"maxUnavailable: 1\n", "minAvailable: 3\n", "budget parley-connector: none of its 3 pods may ever be moved"},
		{"maxUnavailable: 1\n", "minAvailable: 67%\n", "budget parley-connector: none of its 3 pods may ever be moved"},
		{"  unhealthyPodEvictionPolicy: AlwaysAllow\n", "", "budget parley-connector: pods that are not ready"},
		{"kind: Deployment, name: parley-projector", "kind: Deployment, name: parley-project", "autoscaler parley-projector: there is no deployment parley-project"},
		{"minReplicas: 2", "minReplicas: 1", "autoscaler parley-projector: a single pod"},
		{"requests: { cpu: 500m, memory: 512Mi }", "requests: { memory: 512Mi }", "parley-projector: it requests no cpu"},
		{"limits: { memory: 2Gi }", "limits: {}", "parley-projector: there is no limit of memory"},
		{"value: 1800MiB", "value: 1900MiB", "parley-projector: GOMEMLIMIT 1900MiB is more than nine tenths"},
		{"value: 1800MiB", "value: 900MiB", "parley-projector: GOMEMLIMIT 900MiB is too little for one pod that has all 48 partitions"},
		{"httpGet: { path: /readyz, port: admin }", "httpGet: { path: /ready, port: admin }", "parley-connector: its readiness is asked at /ready"},
		{"httpGet: { path: /healthz, port: admin }", "httpGet: { path: /readyz, port: admin }", "parley-connector: its liveness is asked at /readyz"},
		{"{ name: admin, containerPort: 9464 }", "{ name: admin, containerPort: 9465 }", "parley-chatworker: the port admin is 9465, PARLEY_ADMIN says :9464"},
		{"{ name: chat, containerPort: 8080 }", "{ name: chat, containerPort: 8081 }", "parley-connector: the port chat is 8081, PARLEY_LISTEN says :8080"},
		{"targetPort: chat", "targetPort: chats", "service parley-connector: its pods have no port chats"},
		{"port: { name: chat }", "port: { name: chats }", "ingress parley: the service parley-connector has no port chats"},
		{`proxy-read-timeout: "3600"`, `proxy-read-timeout: "30"`, "ingress parley: it gives up after 30 s of silence"},
		{`prometheus.io/port: "9464"`, `prometheus.io/port: "9465"`, "Prometheus is sent to port 9465"},
		{"runAsNonRoot: true", "runAsNonRoot: false", "it may run as root"},
		{"readOnlyRootFilesystem: true", "readOnlyRootFilesystem: false", "it may write to its image"},
		{"drop: [ALL]", "drop: [NET_RAW]", "it keeps capabilities"},
		{"enableServiceLinks: false", "enableServiceLinks: true", "variables of services would look like flags"},
		{"serviceAccountName: parley-projector", "serviceAccountName: default", "there is no account default"},
		{"automountServiceAccountToken: false\n      enable", "automountServiceAccountToken: true\n      enable", "it is given a token"},
		{"newTag: v0.1.0", "newTag: latest", "the image registry.example.com/parley:latest names no version"},
		{"{ port: 9464, protocol: TCP }", "{ port: 9465, protocol: TCP }", "no network policy lets in port 9464 of parley-projector"},
		{"{ port: 8080, protocol: TCP }", "{ port: 8081, protocol: TCP }", "no network policy lets in port 8080 of parley-connector"},
		{"port: 9092, endPort: 9099", "port: 9094, endPort: 9099", "no network policy lets parley-chatworker out to port 9093"},
		{"{ port: 9440, protocol: TCP }", "{ port: 9441, protocol: TCP }", "no network policy lets parley-projector out to port 9440"},
	} {
		t.Run(c.new, func(t *testing.T) { caught(t, "demo", c.old, c.new, c.want) })
	}
	for _, c := range []struct{ old, new, want string }{
		{`PARLEY_API: ":8091"`, `PARLEY_API: ":8092"`, "the port api is 8091, PARLEY_API says :8092"},
		{"targetPort: api", "targetPort: apis", "service parley-api: its pods have no port apis"},
		{"{ port: 8091, protocol: TCP }", "{ port: 8092, protocol: TCP }", "no network policy lets in port 8091 of parley-connector"},
		{"PARLEY_API_KEYS: /etc/parley/api/keys", "PARLEY_API_KEYS: /etc/parley/api/key", "PARLEY_API_KEYS is /etc/parley/api/key, where nothing is mounted"},
		{`  PARLEY_API_PLAINTEXT: "true"`, "", "parley-connector: exit status 1: parley: the API listens at :8091, beyond this machine"},
		{"  PARLEY_API_KEYS: /etc/parley/api/keys\n", "", "parley-connector: exit status 1: parley: --api needs to know who may use it"},
		{"secretName: parley-api,", "secretName: parley-apis,", "parley-connector: there is no secret parley-apis"},
		{"keys: the text of keys/api-keys", "keys: demo", "parley-connector: exit status 1: parley: the file of API keys"},
	} {
		t.Run("api with "+c.new, func(t *testing.T) { caught(t, "api", c.old, c.new, c.want) })
	}
}

// Each rule finds what it is there for in the overlay with hooks, too.
func TestWrongHooksOnKubernetesAreCaught(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"PARLEY_URL: https", "PARLEY_URL: ftp", "parley-hooks: exit status 1: parley: --url"},
		{"https://backend.example.com/hooks", "https://backend.example.com:8443/hooks", "no network policy lets parley-hooks out to port 8443"},
		{"PARLEY_KINDS: join,leave", "PARLEY_KINDS: joins", "parley-hooks: exit status 1: parley: --kinds"},
		{"PARLEY_SECRET_FILE: /etc/parley/hooks/secret", "PARLEY_SECRET_FILE: /etc/parley/hooks/key", "PARLEY_SECRET_FILE is /etc/parley/hooks/key, where nothing is mounted"},
		{"  PARLEY_SECRET_FILE: /etc/parley/hooks/secret\n", "", "parley-hooks: exit status 1: parley: --url: what is sent beyond this machine is signed"},
		{"secret: the text of keys/hooks.secret", "secret: demo", "parley-hooks: exit status 1: parley: --secret-file"},
		{"args: [hooks]", "args: [hook]", "hook"},
	} {
		t.Run("hooks with "+c.new, func(t *testing.T) { caught(t, "hooks", c.old, c.new, c.want) })
	}
}

// The same for the overlay with ingest.
func TestWrongIngestOnKubernetesIsCaught(t *testing.T) {
	for _, c := range []struct{ old, new, want string }{
		{"args: [ingest]", "args: [ingets]", "parley-ingest: it runs [] [ingets]"},
		{"args: [ingest]", "args: [ingest, --url, 'http://backend/']", "parley-ingest: exit status 1: parley: unknown flag --url"},
		{"PARLEY_CLICKHOUSE: clickhouse://", "PARLEY_CLICKHOUSE: http://", "parley-ingest: exit status 1: parley: --clickhouse"},
		{"{ port: 9440, protocol: TCP }", "{ port: 9441, protocol: TCP }", "no network policy lets parley-ingest out to port 9440"},
		{"port: 9092, endPort: 9099", "port: 9094, endPort: 9099", "no network policy lets parley-ingest out to port 9093"},
		{"{ port: 9464, protocol: TCP }", "{ port: 9465, protocol: TCP }", "no network policy lets in port 9464 of parley-ingest"},
		{"AlwaysAllow\n  selector:\n    matchLabels: { app.kubernetes.io/name: parley-ingest }", "AlwaysAllow\n  selector:\n    matchLabels: { app.kubernetes.io/name: parley-commands }", "budget parley-ingest: it selects no pods"},
		{"topologyKey: kubernetes.io/hostname", "topologyKey: kubernetes.io/arch", "parley-ingest: it is not spread over kubernetes.io/hostname"},
		{"kind: Deployment, name: parley-ingest", "kind: Deployment, name: parley-ingests", "autoscaler parley-ingest: there is no deployment parley-ingests"},
		{"maxReplicas: 6", "maxReplicas: 60", "parley-ingest: up to 60 pods share 48 partitions"},
		{"value: 1800MiB", "value: 900MiB", "parley-ingest: GOMEMLIMIT 900MiB is too little for one pod that has all 48 partitions"},
	} {
		t.Run("ingest with "+c.new, func(t *testing.T) { caught(t, "ingest", c.old, c.new, c.want) })
	}
}

// caught sees that an overlay with one text replaced has a problem.
func caught(t *testing.T, overlay, old, replaced, want string) {
	t.Helper()
	o, err := built(t, overlay, old, replaced)
	var found []string
	if err != nil {
		found = []string{err.Error()}
	} else {
		found = o.problems()
	}
	if all := strings.Join(found, "\n"); !strings.Contains(all, want) {
		t.Errorf("%q is not among the problems:\n%s", want, all)
	}
}
