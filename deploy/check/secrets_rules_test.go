package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// secretsFolder is where Docker mounts secrets.
const secretsFolder = "/run/secrets/"

// here has the files of this machine in place of those that are mounted from
// them: the program reads them when it is asked whether it would start.
func here(p *types.Project, environment []string) []string {
	var all []string
	for _, pair := range environment {
		name, value, _ := strings.Cut(pair, "=")
		if secret, ok := p.Secrets[strings.TrimPrefix(value, secretsFolder)]; ok {
			value = secret.File
		}
		all = append(all, name+"="+value)
	}
	return all
}

// secret looks for the secrets that variables and arguments name, and for
// private ones where they do not belong.
func secret(p *types.Project, s types.ServiceConfig) (found []string) {
	var has []string
	for _, given := range s.Secrets {
		has = append(has, given.Source)
	}
	named := slices.Clone([]string(s.Command))
	for _, pair := range environment(s) {
		_, value, _ := strings.Cut(pair, "=")
		named = append(named, value)
	}
	for _, value := range named {
		if name, ok := strings.CutPrefix(value, secretsFolder); ok && !slices.Contains(has, name) {
			found = append(found, "it has no secret "+name)
		}
	}
	for name, owner := range map[string]string{"token-key": "token-endpoint", "password": "token-endpoint", "tls-key": "lb", "hooks-secret": "hooks"} {
		if slices.Contains(has, name) && s.Name != owner {
			found = append(found, fmt.Sprintf("it has the secret %s, which is for %s alone", name, owner))
		}
	}
	return found
}

// closed looks whether connectors want tokens, and those that the token
// endpoint issues (examples/token-endpoint/tokens.go).
func closed(_ *types.Project, s types.ServiceConfig) (found []string) {
	if !ours(s) || len(s.Command) == 0 || s.Command[0] != "connector" {
		return nil
	}
	if variable(s, "PARLEY_OPEN") != "" {
		found = append(found, "it is open to everybody")
	}
	if audience := variable(s, "PARLEY_AUTH_AUDIENCE"); audience != "" && audience != "parley" {
		found = append(found, "it wants tokens for "+audience)
	}
	return found
}

// entrance looks whether what is published speaks TLS, and leads to the token
// endpoint.
func entrance(p *types.Project) (found []string) {
	lb, endpoint := p.Services["lb"], p.Services["token-endpoint"]
	published := []string{}
	for _, port := range lb.Ports {
		published = append(published, fmt.Sprint(port.Target))
	}
	if !slices.Equal(published, []string{variable(lb, "PARLEY_LB_TLS_LISTEN"), variable(lb, "PARLEY_LB_API_LISTEN")}) {
		found = append(found, "lb: what is published does not speak TLS")
	}
	i := slices.Index(endpoint.Command, "-listen")
	if i < 0 || i+1 >= len(endpoint.Command) {
		return append(found, "token-endpoint: nothing says where it listens")
	}
	if at := endpoint.Name + endpoint.Command[i+1]; variable(lb, "PARLEY_LB_TOKEN_ENDPOINT") != at {
		found = append(found, fmt.Sprintf("lb: %s is not behind it", at))
	}
	return found
}
