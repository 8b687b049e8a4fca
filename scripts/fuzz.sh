#!/bin/sh
# Runs every fuzz target for a while: fuzz.sh 20s
#
# The go command sometimes ends a run with "context deadline exceeded" when its
# time is up while workers are busy; that is no finding and is tried again, up to
# five times.
set -eu
out=$(mktemp)
trap 'rm -f "$out"' EXIT
fuzz() {
	for try in 1 2 3 4 5 6; do
		go test -run '^$' -fuzz "^$2\$" -fuzztime "$3" -fuzzminimizetime 5x "./$1" >"$out" 2>&1 && return 0
		grep -q '^ *context deadline exceeded$' "$out" || return 1
	done
	return 1
}
for file in $(git ls-files '*_test.go'); do
	for target in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$file"); do
		dir=$(dirname "$file")
		if fuzz "$dir" "$target" "${1:-20s}"; then
			echo "$target in $dir: $(grep -o 'execs: [0-9]*' "$out" | tail -1)"
		else
			cat "$out"
			exit 1
		fi
	done
done
