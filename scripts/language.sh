#!/usr/bin/env bash
# Fails where a page uses a turn that says something else to a native reader
# than what is meant, and says what to write. Code in fences is not looked at.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is checked, as git pathspecs. CHANGELOG.md is a record and stays as it is.
checked=(README.md CONTRIBUTING.md 'docs/*.md' 'deploy/**/README*.md' examples/README.md web/sdk/README.md)

# Generated from texts of the code, as are the rows of metrics in docs/metrics.md
# (| `parley_...): they follow when those texts are checked.
generated=(':!docs/settings.md')

# A turn a line: extended regular expression (any case, \< and \> are the ends
# of a word) ; why not ; what to write
turns='
\<(resumes?|goe?s? on|continues?|queued?|moves?|begins?|closes? .*|chats?|page) (right )?behind ; behind means that something lags ; after, past, above
\<everything behind the (log|offset|event)\> ; behind means that something lags ; downstream of, after
\<(hold|holds|held) [^.;|]* against\> ; to hold something against somebody is to resent it ; compare X with Y, check X against Y
\<(that|which|and|it) is none\> ; puzzling ; is not a ..., invalid, none given
\<(is|are) no (name|error|failure|difference|request|number|links?|source|reason)\> ; a literal translation ; is not a ..., invalid ...
\<stands? (still|in a|in the|twice|behind|above|at|below|before)\> ; machines and records do not stand ; is stored, is in, stops, comes after
\<(at which nothing|its join|an event|the same protocol) stands\> ; records do not stand ; is stored, is
\<mend(s|ed|ing)?\> ; quaint ; fix
\<anew\> ; quaint ; again, rebuild, restart, recreate
\<(is|was|are|were) begun\> ; quaint ; is created, is started
\<lives? on\> ; quaint for machines ; continues, is kept
\<what it is about\> ; vague ; the name
\<(what|all that|much) (is|was|were) said\> ; machines and records say nothing ; the messages, is logged, is sent
\<said (alone|by the event)\> ; machines say nothing ; sent alone, announced by
\<(clickhouse|nginx|kafka|broker|connector|worker|projector) (is|was) told\> ; machines are not told ; is set to, is notified, is written to
'

found=0
while IFS= read -r line; do
	[ -n "$line" ] || continue
	pattern=${line%% ; *}
	rest=${line#* ; }
	while IFS= read -r file; do
		[ -e "$file" ] || continue
		hits=$(awk '/^```/ { fence = !fence } { print fence || /^(```|\| `parley_)/ ? "" : $0 }' "$file" |
			grep -niEo ".{0,40}$pattern.{0,30}" || [ $? -eq 1 ])
		[ -n "$hits" ] || continue
		found=1
		while IFS= read -r hit; do
			printf '%s:%s\n    not: %s; write: %s\n' "$file" "$hit" "${rest%% ; *}" "${rest#* ; }" >&2
		done <<<"$hits"
	done < <(git ls-files -co --exclude-standard -- "${checked[@]}" "${generated[@]}")
done <<<"$turns"
exit "$found"
