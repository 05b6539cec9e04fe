package check

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/linter"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
)

const dockerfile = root + "/deploy/Dockerfile"

// stages parses a Dockerfile as BuildKit does.
func stages(text string) ([]instructions.Stage, error) {
	parsed, err := parser.Parse(strings.NewReader(text))
	if err != nil {
		return nil, err
	}
	all, _, err := instructions.Parse(parsed.AST, linter.New(&linter.Config{}))
	return all, err
}

func dockerfileText(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDockerfileIsRight(t *testing.T) {
	for _, p := range imageProblems(dockerfileText(t)) {
		t.Error(p)
	}
}

func TestWrongDockerfilesAreCaught(t *testing.T) {
	text := dockerfileText(t)
	for _, c := range []struct{ old, new, want string }{
		{"golang:1.26.8-bookworm", "golang:bookworm", "golang:bookworm names no version"},
		{"node:22.22.2-bookworm-slim", "node:22-bookworm-slim", "node:22-bookworm-slim names no version"},
		{"FROM scratch", "FROM debian:12.12-slim", "not from scratch"},
		{"USER 65532:65532", "USER root", "user root"},
		{"USER 65532:65532\n", "", "no user"},
		{`CMD ["/parley", "health"]`, `CMD /parley health`, "needs a shell"},
		{`CMD ["/parley", "health"]`, `CMD ["/parley", "healthy"]`, "healthy"},
		{"ENV PARLEY_ADMIN=:9464", "ENV PARLEY_ADMN=:9464", "missing flags: --admin"},
		{"COPY --from=program /src/parley /parley", "COPY --from=programme /src/parley /parley", "programme"},
		{`ENTRYPOINT ["/parley"]`, `ENTRYPOINT /parley`, "needs a shell"},
		{"RUN npm ci", "RUNS npm ci", "RUNS"},
	} {
		t.Run(c.new, func(t *testing.T) {
			if !strings.Contains(text, c.old) {
				t.Fatalf("the Dockerfile has no %q", c.old)
			}
			all := strings.Join(imageProblems(strings.ReplaceAll(text, c.old, c.new)), "\n")
			if !strings.Contains(all, c.want) {
				t.Errorf("%q is not among the problems: %s", c.want, all)
			}
		})
	}
}

// The example's image is built with the same Go, and holds nothing else either.
func TestTokenEndpointsDockerfile(t *testing.T) {
	text, err := os.ReadFile(root + "/examples/token-endpoint/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	all, err := stages(string(text))
	if err != nil || len(all) != 2 {
		t.Fatalf("%d stages, %v", len(all), err)
	}
	if !strings.Contains(dockerfileText(t), "FROM --platform=$BUILDPLATFORM "+all[0].BaseName+" AS program") {
		t.Errorf("it is built with %s, deploy/Dockerfile with another", all[0].BaseName)
	}
	for _, p := range finalProblems(all[1]) {
		if !strings.HasPrefix(p, "the entry point is [\"/token-endpoint\"") && !strings.HasPrefix(p, "the health check [\"CMD\" \"/token-endpoint\"") {
			t.Error(p)
		}
	}
}

var (
	exactBase = regexp.MustCompile(`:\d+\.\d+\.\d+-`)
	plainUser = regexp.MustCompile(`^[1-9]\d*:[1-9]\d*$`)
)

// imageProblems is what is wrong with a Dockerfile, a sentence each.
func imageProblems(text string) (found []string) {
	all, err := stages(text)
	if err != nil {
		return []string{err.Error()}
	}
	names := map[string]bool{}
	for i, s := range all {
		last := i == len(all)-1
		if !last && !exactBase.MatchString(s.BaseName) {
			found = append(found, s.BaseName+" names no version")
		}
		for _, c := range s.Commands {
			if c, ok := c.(*instructions.CopyCommand); ok && c.From != "" && !names[c.From] {
				found = append(found, "there is no stage "+c.From+" to copy from")
			}
		}
		names[s.Name] = true
	}
	return append(found, finalProblems(all[len(all)-1])...)
}

// finalProblems looks at the stage that becomes the image.
func finalProblems(s instructions.Stage) (found []string) {
	if s.BaseName != "scratch" {
		found = append(found, "the image is not from scratch: "+s.BaseName)
	}
	user, environment := "", []string{}
	var health, entry []string
	for _, c := range s.Commands {
		switch c := c.(type) {
		case *instructions.UserCommand:
			user = c.User
		case *instructions.EnvCommand:
			for _, pair := range c.Env {
				environment = append(environment, pair.Key+"="+pair.Value)
			}
		case *instructions.HealthCheckCommand:
			health = c.Health.Test
		case *instructions.EntrypointCommand:
			entry = c.CmdLine
			if c.PrependShell {
				found = append(found, "the entry point needs a shell")
			}
		case *instructions.RunCommand:
			found = append(found, "nothing can be run in an empty image: "+c.String())
		}
	}
	switch {
	case user == "":
		found = append(found, "no user is named, so it is root")
	case !plainUser.MatchString(user):
		found = append(found, "the user "+user+" is root, or a name that an empty image does not know")
	}
	if len(entry) != 1 || entry[0] != "/parley" {
		found = append(found, fmt.Sprintf("the entry point is %q", entry))
	}
	return append(found, healthProblems(health, environment)...)
}

func healthProblems(test, environment []string) []string {
	if len(test) < 3 || test[0] != "CMD" || test[1] != "/parley" {
		return []string{fmt.Sprintf("the health check %q needs a shell, or does not run parley", test)}
	}
	if err := accepts(test[2:], environment); err != nil {
		return []string{"health check: " + err.Error()}
	}
	return nil
}
