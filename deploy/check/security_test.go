package check

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// newcomer is somebody with a clone of their own, who types what a page says.
type newcomer struct {
	t           *testing.T
	clone       string
	environment []string
	edits       *strings.Replacer // of commands
}

// newClone copies the source as it is, but not what was installed, which is
// large: that is shared.
func newClone(t *testing.T) *newcomer {
	t.Helper()
	needFile(t, "deploy/engine/node_modules/@chdb/lib-*/libchdb.*", "run make build")
	needFile(t, "web/node_modules/.package-lock.json", "run make build")
	n := &newcomer{t: t, clone: t.TempDir(), edits: strings.NewReplacer()}
	list := exec.Command("git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	names, err := list.Output()
	if err != nil {
		t.Skip("the source is in no Git repository")
	}
	for name := range strings.Lines(string(names)) {
		keep(t, strings.TrimSpace(name), n.clone)
	}
	keep(t, "web/dist", n.clone)
	for _, installed := range []string{"deploy/engine/node_modules", "web/node_modules"} {
		if err := os.Symlink(abs(t, installed), filepath.Join(n.clone, installed)); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

// keep copies a file or folder of the source with its time, by which make goes.
func keep(t *testing.T, name, to string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, name), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		below, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		target := filepath.Join(to, below)
		return errors.Join(copyFile(path, target), os.Chtimes(target, info.ModTime(), info.ModTime()))
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // deleted, not yet committed, or not built
		t.Fatal(err)
	}
}

func abs(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// command is one that is typed in the clone.
func (n *newcomer) command(text string) *exec.Cmd {
	cmd := exec.Command("bash", "-e", "-c", n.edits.Replace(text))
	cmd.Dir, cmd.Env = n.clone, append(os.Environ(), n.environment...)
	return cmd
}

// run types commands and returns what they print. What they export stays.
func (n *newcomer) run(text string) string {
	n.t.Helper()
	exported := filepath.Join(n.clone, "..", filepath.Base(n.clone)+".env")
	out, err := n.command(text + "\nenv -0 >" + exported).CombinedOutput()
	if err != nil {
		n.t.Fatalf("%s: %v\n%s", text, err, out)
	}
	variables, err := os.ReadFile(exported)
	if err != nil {
		n.t.Fatal(err)
	}
	n.environment = strings.Split(strings.TrimRight(string(variables), "\x00"), "\x00")
	return string(out)
}

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// blocks are the commands of a page, by the headings they are below.
func blocks(t *testing.T, page string) map[string][]string {
	t.Helper()
	found := map[string][]string{}
	for _, section := range strings.Split(fileText(t, root+"/"+page), "\n## ")[1:] {
		title, _, _ := strings.Cut(section, "\n")
		for _, block := range shellBlock.FindAllStringSubmatch(section, -1) {
			found[title] = append(found[title], block[1])
		}
	}
	return found
}

// A newcomer types what docs/security.md says: at its end there is a site on
// which ada has logged in, and may do what tokens and file say.
func TestSecurityPage(t *testing.T) {
	n := newClone(t)
	chat, site := freeAddr(t), freeAddr(t)
	_, port, err := net.SplitHostPort(site)
	if err != nil {
		t.Fatal(err)
	}
	n.edits = strings.NewReplacer("127.0.0.1:8080", chat, "127.0.0.1:8443", site, "localhost:8443", "localhost:"+port)
	n.environment = []string{"LISTEN=" + chat, "DATA=data", "STACK=", "MAKEFLAGS=", "MAKELEVEL=", "PARTS="}
	page := blocks(t, "docs/security.md")
	take := func(title string, number int) string {
		t.Helper()
		if len(page[title]) < number {
			t.Fatalf("the section %q has %d blocks of commands", title, len(page[title]))
		}
		return page[title][number-1]
	}
	n.run(take("1. A key", 1))
	n.run(take("2. What everybody may do", 1))
	t.Cleanup(func() { _ = n.command("make down").Run() })
	contains(t, n.run(take("3. Parley, with authentication", 1)), "Parley is ready", chat)

	build, endpoint, _ := strings.Cut(take("4. Logins", 1), "\n")
	n.run(build)
	start(t, "bash", "-c", "cd '"+n.clone+"' && exec "+n.edits.Replace(endpoint)).find(`(listens at)`)
	tokens := n.tokens(n.run(take("4. Logins", 2)))

	v := visit(t, "https://localhost:"+port, filepath.Join(n.clone, "keys/tls.crt"))
	if _, err := v.hello(map[string]any{"user": "ada"}); err == nil {
		t.Error("somebody gets in without a token")
	}
	ada, err := v.hello(map[string]any{"token": tokens[0]})
	if err != nil {
		t.Fatal(err)
	}
	ada.join("lobby", 0, "")
	ada.join("news", 0, "") // by the file alone
	refusedWith(t, "a message where one may only read", "1002", ada.call("chat", map[string]any{"channel": "news", "body": "x"}, nil))
	refusedWith(t, "a channel without a grant", "1002", ada.call("join", map[string]any{"channel": "team-red"}, nil))
	if err := ada.call("join", map[string]any{"channel": "team-red", "token": tokens[1]}, nil); err != nil {
		t.Errorf("with a channel token: %v", err)
	}
	v.chats(strings.TrimSpace(fileText(t, filepath.Join(n.clone, "keys/password"))))

	n.run(take("6. Change your mind", 1))
	eventually(t, "the file counts again", func() bool {
		return ada.call("join", map[string]any{"channel": "announcements"}, nil) == nil
	})
	refusedWith(t, "a channel that is granted no more", "1002", ada.call("join", map[string]any{"channel": "news"}, nil))
	bob, err := v.hello(map[string]any{"token": v.token("/auth/token", "")}) // he logged in last
	if err != nil {
		t.Fatal(err)
	}
	contains(t, n.run(take("7. Somebody must go", 1)), `Tokens of "ada" that were issued before`, `"bob" is barred until`, "lost phone")
	for name, c := range map[string]*client{"ada": ada, "bob": bob} {
		eventually(t, name+"'s session ends", func() bool {
			select {
			case <-c.ended:
				return true
			default:
				return false
			}
		})
	}
	_, err = v.hello(map[string]any{"token": tokens[0]})
	refusedWith(t, "a revoked token", "1001", err)
	contains(t, n.run(take("7. Somebody must go", 2)), "The bar is lifted")
	contains(t, n.run(take("7. Somebody must go", 3)), "Parley has stopped")
}

// tokens are those that were printed, in their order.
func (n *newcomer) tokens(said string) (all []string) {
	n.t.Helper()
	for line := range strings.Lines(said) {
		var got struct{ Token string }
		if json.Unmarshal([]byte(line), &got) == nil && got.Token != "" {
			all = append(all, got.Token)
		}
	}
	if len(all) != 2 {
		n.t.Fatalf("%d tokens are printed:\n%s", len(all), said)
	}
	return all
}
