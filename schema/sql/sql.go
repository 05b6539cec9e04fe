package sql

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"text/template"
)

// Tables that are not rebuilt.
const (
	// Epochs holds every epoch of the log that history was written for.
	Epochs = "epochs"
	// Generations holds every generation that was made the current one; the
	// highest is.
	Generations = "generations"
)

// FirstGeneration is the current one of a new database.
const FirstGeneration = 1

// Events is the table of generation g that holds the events as rows.
func Events(g uint32) string { return fmt.Sprintf("events_%d", g) }

// Changes is the table of generation g that holds what changes messages, by the
// message that it changes.
func Changes(g uint32) string { return fmt.Sprintf("changes_%d", g) }

// Messages is the view of generation g that shows messages after their changes.
func Messages(g uint32) string { return fmt.Sprintf("messages_%d", g) }

// Watermarks is the table of generation g that holds up to which offset of a
// partition everything is in Events.
func Watermarks(g uint32) string { return fmt.Sprintf("watermarks_%d", g) }

// Migration is one step from one version of the tables to the next.
type Migration struct {
	Version   int64
	Name      string
	Statement string
}

// Layout says for what kind of server the migrations are rendered.
type Layout struct {
	// Database that holds the tables.
	Database string
	// Cluster is the name of the cluster over which tables are replicated; ""
	// for a single server.
	Cluster string
}

//go:embed base/*.sql generation/*.sql
var files embed.FS

// Base returns the migrations of the tables that are not rebuilt, in order.
func (l Layout) Base() ([]Migration, error) { return l.render("base", 0) }

// Generation returns the migrations of the tables of generation g, in order.
func (l Layout) Generation(g uint32) ([]Migration, error) { return l.render("generation", g) }

func (l Layout) render(dir string, g uint32) ([]Migration, error) {
	names, err := fs.Glob(files, dir+"/*.sql")
	if err != nil {
		return nil, err
	}
	parsed, err := template.ParseFS(files, dir+"/*.sql")
	if err != nil {
		return nil, err
	}
	var all []Migration
	for _, name := range names {
		var out strings.Builder
		if err := parsed.ExecuteTemplate(&out, path.Base(name), target{l, g}); err != nil {
			return nil, err
		}
		number, _, _ := strings.Cut(path.Base(name), "_")
		version, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("migration %s does not begin with its number: %w", name, err)
		}
		all = append(all, Migration{version, name, out.String()})
	}
	return all, nil
}

// target is what the templates are rendered for.
type target struct {
	Layout
	generation uint32
}

// Table is the full name of a table, for a statement.
func (l Layout) Table(name string) string { return quote(l.Database) + "." + quote(name) }

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// Epochs and the others name the tables in templates.
func (t target) Epochs() string      { return t.Table(Epochs) }
func (t target) Generations() string { return t.Table(Generations) }
func (t target) Events() string      { return t.Table(Events(t.generation)) }
func (t target) Changes() string     { return t.Table(Changes(t.generation)) }
func (t target) Messages() string    { return t.Table(Messages(t.generation)) }
func (t target) Watermarks() string  { return t.Table(Watermarks(t.generation)) }

// OnCluster makes a statement run on every server of the cluster; "" when
// there is none.
func (l Layout) OnCluster() string {
	if l.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + quote(l.Cluster)
}

// Replacing is the engine that keeps, of the rows with the same key, the one
// with the highest version.
func (t target) Replacing(version string) string {
	if t.Cluster == "" {
		return "ReplacingMergeTree(" + version + ")"
	}
	// All servers hold all of the history: no {shard} in the path.
	return "ReplicatedReplacingMergeTree('/clickhouse/tables/{uuid}', '{replica}', " + version + ")"
}
