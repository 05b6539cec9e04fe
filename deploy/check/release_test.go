package check

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// The workflow calls targets of make, so that nothing can be done there alone.
func TestReleaseWorkflowCallsMake(t *testing.T) {
	text, err := os.ReadFile(root + "/.github/workflows/release.yml")
	if err != nil {
		t.Fatal(err)
	}
	var workflow struct {
		Jobs map[string]struct {
			Steps []struct{ Run, Uses string }
		}
	}
	if err := yaml.Unmarshal(text, &workflow); err != nil {
		t.Fatal(err)
	}
	calls := regexp.MustCompile(`^make [a-z-]+$`)
	pinned := regexp.MustCompile(`^actions/[a-z-]+@v\d+$`)
	var ran []string
	for _, step := range workflow.Jobs["release"].Steps {
		switch {
		case step.Run == "" && !pinned.MatchString(step.Uses):
			t.Errorf("a step uses %q", step.Uses)
		case step.Run == "":
		case !calls.MatchString(step.Run):
			t.Errorf("a step runs %q, which is not a target of make", step.Run)
		default:
			ran = append(ran, strings.TrimPrefix(step.Run, "make "))
			if out, err := exec.Command("make", "-C", root, "--question", ran[len(ran)-1]).CombinedOutput(); strings.Contains(string(out), "No rule") {
				t.Errorf("%s: %v\n%s", step.Run, err, out)
			}
		}
	}
	if want := []string{"test", "test-release", "release", "release-image", "publish"}; !slices.Equal(ran, want) {
		t.Errorf("it runs %q, want %q", ran, want)
	}
}

func TestImageOfUpIsRight(t *testing.T) {
	text, err := os.ReadFile(root + "/deploy/Dockerfile.up")
	if err != nil {
		t.Fatal(err)
	}
	all, err := stages(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1 || !regexp.MustCompile(`^debian:\d+\.\d+-slim$`).MatchString(all[0].BaseName) {
		t.Fatalf("it is not made from one version of Debian: %q", all[0].BaseName)
	}
	var commands []string
	for _, command := range all[0].Commands {
		commands = append(commands, strings.ToUpper(command.Name()))
	}
	for _, want := range []string{"USER", "VOLUME", "HEALTHCHECK", "ENTRYPOINT"} {
		if !slices.Contains(commands, want) {
			t.Errorf("it has no %s", want)
		}
	}
}
