package trace

import (
	"cmp"
	"slices"
)

// Node is a span in its place.
type Node struct {
	Span     *Span
	Children []*Node
	// Orphan: the parent that it names is not in the trace, or is below it.
	Orphan bool
}

// Tree puts the spans in their places: below their parents, in the order in
// which they began. Spans without a parent are at the top, and so are those
// whose parent is missing, or that form a circle. A span that is returned
// twice is shown once.
func (t *Trace) Tree() []*Node {
	nodes := map[string]*Node{}
	var all []*Node
	for i := range t.Spans {
		s := &t.Spans[i]
		if _, twice := nodes[s.ID]; twice {
			continue
		}
		n := &Node{Span: s}
		nodes[s.ID] = n
		all = append(all, n)
	}
	slices.SortStableFunc(all, func(a, b *Node) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	var roots []*Node
	for _, n := range all {
		parent := nodes[n.Span.Parent()]
		if parent == nil {
			n.Orphan = n.Span.Parent() != ""
			roots = append(roots, n)
			continue
		}
		parent.Children = append(parent.Children, n)
	}
	placed := map[*Node]bool{}
	for _, n := range roots {
		place(n, placed)
	}
	for _, n := range all {
		if placed[n] { // else it is in a circle, which is opened here
			continue
		}
		parent := nodes[n.Span.Parent()]
		parent.Children = slices.DeleteFunc(parent.Children, func(c *Node) bool { return c == n })
		n.Orphan = true
		roots = append(roots, n)
		place(n, placed)
	}
	return roots
}

// place adds the nodes below n.
func place(n *Node, placed map[*Node]bool) {
	placed[n] = true
	for _, c := range n.Children {
		if !placed[c] {
			place(c, placed)
		}
	}
}
