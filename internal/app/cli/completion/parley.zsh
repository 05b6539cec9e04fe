#compdef parley
# Completes the command line of parley in zsh.
_parley() {
	local line tab=$'\t'
	local -a found
	while IFS= read -r line; do
		found+=("${${line%%$tab*}//:/\\:}:${line#*$tab}")
	done < <("$words[1]" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( $#found )); then
		_describe parley found
	else
		_files
	fi
}
compdef _parley parley
