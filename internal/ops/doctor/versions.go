package doctor

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/parley-chat/parley/internal/roles"
)

// Running counts the roles that run, by kind and version; "" when none does.
func (r *Report) Running() string {
	count := map[string]int{}
	for i := range r.Roles {
		count[r.Roles[i].Kind+" "+version(&r.Roles[i])]++
	}
	var all []string
	for name, n := range count {
		all = append(all, fmt.Sprintf("%s (%d)", name, n))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func version(r *roles.Role) string { return cmp.Or(r.Version, "of an unknown version") }

// checkVersions looks for an upgrade that was not finished.
func (x *examination) checkVersions() {
	all := x.report.Roles
	if slices.ContainsFunc(all, func(r roles.Role) bool { return r.Version != all[0].Version }) {
		x.find(Warning, "versions", "finish the upgrade, or go back to the previous version")("roles of different ones run: %s", x.report.Running())
	}
}
