package trace

import (
	"fmt"
	"io"
	"path"
	"strings"
	"time"
	"unicode"
)

// shown are the attributes that are worth a place in the tree, by the name that
// they have there.
var shown = []struct{ key, name string }{
	{"messaging.destination.partition.id", "partition"},
	{"messaging.kafka.offset", "offset"},
	{"messaging.consumer.group.name", "group"},
	{"messaging.batch.message_count", "records"},
	{"parley.rows", "rows"},
	{"parley.members", "members"},
	{"parley.messages", "messages"},
	{"rpc.response.status_code", "code"},
	{"error.type", "error"},
	{"parley.unsampled", "unsampled"},
}

// maxDepth bounds how far the tree is indented.
const maxDepth = 32

// Print writes the trace as a tree: when each span began, counted from the
// first, how long it took, who did it and what. One that failed is marked, and
// one whose parent is not there.
func (t *Trace) Print(w io.Writer) error {
	roots := t.Tree()
	p := printer{trace: t, began: t.Spans[0].Start}
	end := p.began
	services := map[string]bool{}
	for i := range t.Spans {
		s := &t.Spans[i]
		p.began, end = min(p.began, s.Start), max(end, s.Start+s.Duration)
		services[t.Processes[s.Process].Service] = true
		p.width = max(p.width, len(t.service(s)))
	}
	fmt.Fprintf(&p.out, "trace %s, %s, %s, %s, began %s\n", clean(t.Spans[0].Trace), count(len(t.Spans), "span"),
		count(len(services), "service"), milliseconds(end-p.began), time.UnixMicro(p.began).UTC().Format("2006-01-02 15:04:05.000 MST"))
	for _, n := range roots {
		p.node(n, 0)
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprint(n, " ", what, "s")
}

// printer writes one trace.
type printer struct {
	trace *Trace
	began int64
	width int // of the longest service name
	out   strings.Builder
}

func (p *printer) node(n *Node, depth int) {
	s := n.Span
	indent := strings.Repeat("  ", max(0, min(depth, maxDepth)-1))
	if depth > 0 {
		indent += "└ "
	}
	fmt.Fprintf(&p.out, "%12s %12s  %-*s  %s%s%s\n", "+"+milliseconds(s.Start-p.began), milliseconds(s.Duration),
		p.width, p.trace.service(s), indent, clean(s.Name), p.attributes(n))
	for _, child := range n.Children {
		p.node(child, depth+1)
	}
}

func (p *printer) attributes(n *Node) string {
	var b strings.Builder
	if n.Span.Tag("error") == "true" {
		b.WriteString("  FAILED")
	}
	for _, a := range shown {
		if v := n.Span.Tag(a.key); v != "" {
			fmt.Fprintf(&b, "  %s=%s", a.name, clean(v))
		}
	}
	for _, l := range n.Span.Links() {
		fmt.Fprintf(&b, "  link=%s", clean(l.Trace))
	}
	if n.Orphan {
		fmt.Fprintf(&b, "  (its parent %s is not in the trace)", clean(n.Span.Parent()))
	}
	return b.String()
}

// service is who made a span, and its part where one process is all of Parley.
func (t *Trace) service(s *Span) string {
	name := clean(t.Processes[s.Process].Service)
	switch name {
	case "":
		return "?"
	case "parley":
		if scope := clean(s.Tag("otel.scope.name")); scope != "" {
			return name + " " + path.Base(scope)
		}
	}
	return name
}

func milliseconds(micros int64) string { return fmt.Sprintf("%.3f ms", float64(micros)/1000) }

// clean leaves out what a terminal would act on.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
