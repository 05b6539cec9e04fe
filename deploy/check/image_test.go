package check

import (
	"bytes"
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// The image is built as its Dockerfile says, but on this machine: each stage in
// a folder of its own, with the files that .dockerignore lets through. What a
// base image would bring is what this machine has.
func TestImageIsReproducible(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the image is for Linux, and is built here as on Linux")
	}
	const version = "v1.2.3-test"
	var programs [][]byte
	var folder string
	for range 2 {
		folder = build(t, map[string]string{"VERSION": version, "TARGETOS": "linux", "TARGETARCH": runtime.GOARCH})
		path := filepath.Join(folder, "parley")
		program, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		programs = append(programs, program)
		static(t, path)
		if out, err := exec.Command(path, "version").CombinedOutput(); err != nil || !strings.Contains(string(out), version) {
			t.Errorf("parley version: %v, says %q, want %s", err, out, version)
		}
	}
	if !bytes.Equal(programs[0], programs[1]) {
		t.Error("two builds of the same source are different programs")
	}
	if !bytes.Contains(programs[0], []byte("<div id=")) {
		t.Error("the page is not in the program")
	}
	if bytes.Contains(programs[0], []byte(filepath.Dir(folder))) {
		t.Error("the program names the folder that it was built in")
	}
}

// static fails when a program needs anything to be loaded beside it.
func static(t *testing.T, path string) {
	t.Helper()
	program, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	for _, p := range program.Progs {
		if p.Type == elf.PT_INTERP {
			t.Error("the program needs a loader and libc, and the image has none")
		}
	}
}

// build carries out the Dockerfile and returns the folder of the last stage.
func build(t *testing.T, args map[string]string) string {
	t.Helper()
	all, err := stages(dockerfileText(t))
	if err != nil {
		t.Fatal(err)
	}
	folders, last := map[string]string{}, ""
	for _, s := range all {
		last = t.TempDir()
		folders[s.Name] = last
		b := &builder{t: t, root: last, dir: last, args: args, env: map[string]string{}, folders: folders}
		for _, c := range s.Commands {
			b.do(c)
		}
	}
	return last
}

// builder carries out one stage.
type builder struct {
	t         *testing.T
	root, dir string
	args, env map[string]string
	folders   map[string]string // of the stages so far
}

func (b *builder) do(c instructions.Command) {
	b.t.Helper()
	switch c := c.(type) {
	case *instructions.WorkdirCommand:
		b.dir = filepath.Join(b.root, c.Path)
		b.check(os.MkdirAll(b.dir, 0o755))
	case *instructions.ArgCommand:
		for _, arg := range c.Args {
			if arg.Value != nil {
				b.env[arg.Key] = *arg.Value
			}
			if given, ok := b.args[arg.Key]; ok {
				b.env[arg.Key] = given
			}
		}
	case *instructions.CopyCommand:
		for _, source := range c.SourcePaths {
			b.copy(c.From, source, c.DestPath)
		}
	case *instructions.RunCommand:
		cmd := exec.Command("sh", "-c", strings.Join(c.CmdLine, " "))
		cmd.Dir, cmd.Env = b.dir, os.Environ()
		for name, value := range b.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err != nil {
			b.t.Fatalf("%s: %v\n%s", c, err, out)
		}
	}
}

// copy copies a file or what is in a folder, from the source tree or from an
// earlier stage.
func (b *builder) copy(stage, source, target string) {
	b.t.Helper()
	from, keep := root, ignored(b.t)
	if stage != "" {
		from, keep = b.folders[stage], func(string) bool { return true }
	}
	start := filepath.Join(from, source)
	if _, err := os.Stat(start); os.IsNotExist(err) && strings.HasPrefix(source, "/etc/") {
		return // from the base image, which is not here
	}
	to := filepath.Join(b.dir, target)
	if filepath.IsAbs(target) {
		to = filepath.Join(b.root, target)
	}
	b.check(filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(from, path) // below from
		below, _ := filepath.Rel(start, path)
		if d.IsDir() {
			if d.Name() == ".git" || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			return nil
		}
		if !keep(name) {
			return nil
		}
		if below == "." && strings.HasSuffix(target, "/") {
			below = filepath.Base(path)
		}
		return copyFile(path, filepath.Join(to, below))
	}))
}

func copyFile(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, info.Mode().Perm())
}

// ignored says whether .dockerignore lets a file of the source tree through.
func ignored(t *testing.T) func(name string) bool {
	t.Helper()
	file, err := os.Open(root + "/.dockerignore")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	patterns, err := ignorefile.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) bool {
		skip, err := matcher.MatchesOrParentMatches(name)
		if err != nil {
			t.Fatal(err)
		}
		return !skip
	}
}

func (b *builder) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}
