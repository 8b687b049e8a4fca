#!/bin/sh
# Measures and prints one tab-separated line a figure:
# figure, ours, unit, compared with, theirs, ratio. Argument: a group, one of
# service, hsm, vault, cms, tsa, pdf, inspect; none means all.
set -eu
group=${1:-}
printf 'figure\tours\tunit\tcompared with\ttheirs\tratio\n'
run() { # group package pattern
	[ -z "$group" ] || [ "$group" = "$1" ] || return 0
	go test -run '^$' -bench "$3" -benchtime "${4:-1s}" "./$2" >/tmp/sigillo-bench.$$ 2>&1 || { cat /tmp/sigillo-bench.$$; exit 1; }
	grep -P '^[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+\t[^\t]+$' /tmp/sigillo-bench.$$ || true
	rm -f /tmp/sigillo-bench.$$
}
run service cmd/sigillo 'BenchmarkService|BenchmarkBigPDF' 1x
