#!/usr/bin/env bash
# Fails where a text, a comment, a message or the name of a test uses a turn
# that says something else to a native reader than what is meant, and says what
# to write. It sees a turn on one line only.
set -euo pipefail
cd "$(dirname "$0")/.."

# What is not checked, as git pathspecs. CHANGELOG.md is a record and stays as it is.
left=(':!CHANGELOG.md' ':!LICENSE' ':!scripts/language.sh' ':!*package-lock.json' ':!*go.sum' ':!*.pb.go')


# A turn a line: extended regular expression (any case, \< and \> are the ends
# of a word) ; why not ; what to write ; and, where there are any, what around
# it is fine
turns='
\<(resumes?|goe?s? on|continues?|queued?|moves?|begins?|closes? .*|chats?|page|stays?|comes?|follows?|live) (right )?behind (it|them|the|that)\> ; behind means that something lags ; after, past, above
\<(everything|events|records|messages|positions?|offsets?) behind (it|the (log|offset|event|marker|state))\> ; behind means that something lags ; downstream of, after
\<(hold|holds|held|holding) .*\<against\> ; to hold something against somebody is to resent it ; compare X with Y, check X against Y
\<(that|which|and|it|what) is none\> ; puzzling ; is not a ..., invalid, none given
\<(is|are|was|were) none of (it|its|the|ours|our|these)\> ; idiom for something else ; is not among, belongs to another
\<[^ ]+ (is|are|was|were) no [a-z]+ ; a literal translation ; is not a ..., invalid ... ; \<there (is|are|was|were) no\>|no (longer|more|less|larger|harm|hurry|further|fewer|different|easy|better|worse)$
\<stands? (still|in a|in the|twice|behind|above|at|below|before|there|on it)\> ; machines and records do not stand ; is stored, is in, stops, comes after
\<(at which nothing|its join|an event|the same protocol|a message|a moment) stands\> ; records do not stand ; is stored, is
\<(mends|mended|mending|to mend)\> ; quaint ; fix
\<anew\> ; quaint ; again, rebuild, restart, recreate
\<(is|was|are|were) (already |not |once )?begun\> ; quaint ; is created, is started, has begun
\<lives? on\> ; quaint for machines ; continues, is kept
\<what it is about\> ; vague ; the name
\<(what|all that|much|nothing|last that) (it |each |they )?(is|was|were|has been) said\> ; machines and records say nothing ; the messages, is logged, is sent
\<(it|part|program|server|process|broker|kafka|clickhouse|client) said\> ; machines say nothing ; the output of, is logged
\<said (alone|by the event|goodbye)\> ; machines say nothing ; sent alone, announced by
\<(clickhouse|nginx|kafka|go|jaeger|broker|connector|worker|projector|server|service|role|container|pod|image|other|others|owner) (is|are|was|were) told\> ; machines are not told ; is set to, is notified, is written to
\<(is|was|are|were) told (as|of)\> ; machines are not told ; is reported as, gets
'

found=0
while IFS= read -r line; do
	[ -n "$line" ] || continue
	pattern=${line%% ; *}
	rest=${line#* ; }
	why=${rest%% ; *}
	rest=${rest#* ; }
	write=${rest%% ; *}
	fine=${rest#"$write"}
	fine=${fine# ; }
	hits=$(git grep --untracked -IniE -e "$pattern" -- . "${left[@]}" || true)
	[ -n "$hits" ] || continue
	while IFS= read -r hit; do
		part=$(grep -oiE -m 1 "$pattern" <<<"${hit#*:*:}")
		[ -z "$fine" ] || part=$(grep -viE "$fine" <<<"$part" || true)
		[ -n "$part" ] || continue
		found=1
		printf '%s: %s\n    not: %s; write: %s\n' "${hit%%:"${hit#*:*:}"}" "$part" "$why" "$write" >&2
	done <<<"$hits"
done <<<"$turns"
exit "$found"
