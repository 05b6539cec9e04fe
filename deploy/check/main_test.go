package check

import (
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the folder of the program's module, as seen from this package.
const root = "../.."

// binary is the program, built from this source.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "parley-check-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "parley")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, ".")
	build.Dir, build.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the program cannot be built: %v\n%s", err, out)
		return 1
	}
	chosen["PARLEY_SECRETS"] = filepath.Join(dir, "secrets")
	if out, err := exec.Command(root+"/scripts/keys.sh", chosen["PARLEY_SECRETS"]).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "there are no keys: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// answers are the program's earlier ones: most rules ask the same again.
var answers = map[string]error{}

// fileOf is a file with that text, the same one for the same text.
func fileOf(text string) string {
	name := filepath.Join(filepath.Dir(binary), fmt.Sprintf("%x", sha256.Sum256([]byte(text))))
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		panic(err) // the folder is this test's own
	}
	return name
}

// accepts asks the program whether it would start with these arguments in an
// environment that holds nothing but these variables. The error is what it
// says.
func accepts(args, environment []string) error {
	question := fmt.Sprintf("%q %q", args, environment)
	if answer, ok := answers[question]; ok {
		return answer
	}
	cmd := exec.Command(binary, append([]string{"check"}, args...)...)
	cmd.Env = append([]string{}, environment...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	answers[question] = err
	return err
}
