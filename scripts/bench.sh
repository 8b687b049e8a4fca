#!/bin/sh
# Measures, and prints one tab-separated line a figure:
#
#	figure, ours, unit, compared with, theirs, ratio
#
# The floor or peer a figure is compared with is measured in the same run; a peer
# that is not set up (make interop does that) is told as missing. Argument: a
# group, one of hsm, vault, sad, cms, tsa, cades, pades, xades, jades, asic, ers, tsd, c14n,
# certpath, validate, inspect, service, csc, graphometric; none means all.
set -eu
group=${1:-}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
printf 'figure\tours\tunit\tcompared with\ttheirs\tratio\n'

# bench GROUP PACKAGE PATTERN TIME: run benchmarks unless another group is wanted.
bench() {
	[ -z "$group" ] || [ "$group" = "$1" ] || return 1
	if ! go test -timeout 60m -run '^$' -bench "$3" -benchtime "$4" "./$2" >"$out" 2>&1; then
		cat "$out" >&2
		exit 1
	fi
}

# figures GROUP PACKAGE PATTERN TIME: run benchmarks that print lines themselves.
figures() {
	bench "$@" || return 0
	grep "^$1\\." "$out" || { echo "bench: $1 was not measured" >&2; exit 1; }
}

# value BENCHMARK UNIT: what a benchmark reported.
value() {
	awk -v b="$1" -v u="$2" '{ n = $1; sub(/-[0-9]+$/, "", n) }
		n == b { for (i = 2; i <= NF; i++) if ($i == u) print $(i - 1) }' "$out"
}

# line FIGURE OURS UNIT COMPARED-WITH THEIRS
line() {
	if [ -z "$2" ] || [ -z "$5" ]; then
		echo "bench: $1 was not measured" >&2
		exit 1
	fi
	awk -v f="$1" -v o="$2" -v u="$3" -v c="$4" -v t="$5" 'BEGIN { printf "%s\t%.4g\t%s\t%s\t%.4g\t%.3f\n", f, o, u, c, t, o / t }'
}

if bench hsm hsm 'BenchmarkSign|BenchmarkUseWrapped' 2s; then
	for key in p256 rsa2048; do
		floor=$(value "BenchmarkSign/$key" signatures/s)
		line "hsm.unwrap-sign.$key.sps" "$(value "BenchmarkUseWrapped/$key" signatures/s)" 1/s "signatures with a key that rests in the token" "$floor"
		line "hsm.unwrap-sign100.$key.sps" "$(value "BenchmarkUseWrapped100/$key" signatures/s)" 1/s "signatures with a key that rests in the token" "$floor"
	done
fi
if bench vault vault 'BenchmarkSign|BenchmarkBatch|BenchmarkRaw' 3s; then
	floor=$(value BenchmarkRaw signatures/s)
	line vault.sign.batch32.p256.sps "$(value BenchmarkSign signatures/s)" 1/s "signatures with a key that rests in the token" "$floor"
	line vault.authorise-sign.batch32.p256.sps "$(value BenchmarkBatch/argon=64MiB signatures/s)" 1/s "signatures with a key that rests in the token" "$floor"
fi
if bench graphometric vault 'BenchmarkMatch' 40x; then
	line graphometric.vault.time "$(value BenchmarkMatch ns/op)" ns "the match and what is learned from it alone" "$(value BenchmarkMatcher/match_and_update ns/op)"
fi
for n in 1 100; do
	# With 32 clients a round of hundreds takes seconds.
	[ $n = 1 ] && rounds=20x || rounds=2x
	bench sad vault "BenchmarkSignHash/.*/n$n\$/.*" $rounds || continue
	for key in p256 rsa2048 rsa3072; do
		for clients in 1 8 32; do
			b=BenchmarkSignHash/$key/n$n/c$clients
			case $n in
			1) line "sad.sign.$key.c$clients.sps" "$(value "$b" signatures/s)" 1/s "derive, unwrap and sign, by as many" "$(value "$b" unwrapped/s)" ;;
			*) line "sad.sign$n.$key.c$clients.sps" "$(value "$b" signatures/s)" 1/s "signatures with a key that rests in the token, by as many" "$(value "$b" bare/s)" ;;
			esac
			line "sad.sign$n.$key.c$clients.cpu" "$(value "$b" cpu-us/activation)" µs "derive, unwrap and sign" "$(value "$b" cpu-us/unwrapped)"
		done
	done
	bench sad vault "BenchmarkSAD/n$n\$" 1s
	line "sad.check$n.time" "$(value "BenchmarkSAD/n$n" ns/op)" ns "the HMAC alone" "$(value "BenchmarkSAD/n$n" ns/hmac)"
done
if bench sad auth 'BenchmarkOTP' 1s; then
	line sad.otp.time "$(value BenchmarkOTP ns/op)" ns "the HMACs of three steps alone" "$(value BenchmarkOTP ns/hmacs)"
fi
if bench sad vault 'BenchmarkFactors' 1s; then
	line sad.factors.time "$(value BenchmarkFactors ns/op)" ns "the stretching of the password, which comes on top" "$(value BenchmarkFactors ns/stretching)"
fi
if bench graphometric auth/graphometric 'BenchmarkAlign|BenchmarkMatch|BenchmarkOpen' 2s; then
	line graphometric.align.time "$(value BenchmarkAlign/align ns/op)" ns "the distances of its readings alone" "$(value BenchmarkAlign/distances ns/op)"
	line graphometric.match.cpu "$(value BenchmarkMatch cpu-ns/op)" ns "the goal" 5000000
	line graphometric.open.time "$(value BenchmarkOpen ns/op)" ns "a match" "$(value BenchmarkMatch ns/op)"
fi
if bench cms formats/cms 'BenchmarkSign' 2s; then
	line cms.sign.p256.time "$(value BenchmarkSign ns/message)" ns "the bare signature" "$(value BenchmarkSign ns/bare-signature)"
fi
if bench tsa tsa 'BenchmarkEncode|BenchmarkStamp$' 1s; then
	# In place is what the vault does; the other has the memory of a token that is given away in it.
	line tsa.encode.time "$(value BenchmarkEncode ns/token-reused)" ns "its two digests" "$(value BenchmarkEncode ns/digests)"
	line tsa.encode.given.time "$(value BenchmarkEncode ns/token)" ns "its two digests" "$(value BenchmarkEncode ns/digests)"
	# A round of the benchmark is 16 tokens that are given away, and 16 that are not.
	line tsa.encode.allocs "$(value BenchmarkEncode allocs/op | awk '{ print $1 / 16 }')" 1 "the goal" 2
	for key in p256 rsa2048 rsa3072; do
		line "tsa.stamp.$key.time" "$(value "BenchmarkStamp/$key" ns/stamp)" ns "the bare signature" "$(value "BenchmarkStamp/$key" ns/bare-signature)"
	done
fi
if bench tsa tsa/ledger 'BenchmarkAppend|BenchmarkFloor' 1s; then
	line tsa.ledger.append.c32.time "$(value BenchmarkAppend/disk/c32 ns/op)" ns "write and fdatasync of the same bytes, 32 at once" "$(value BenchmarkFloor/batch32 ns/op)"
	line tsa.ledger.append.c32.cpu "$(value BenchmarkAppend/disk/c32 cpu-ns/op)" ns "write and fdatasync of the same bytes, 32 at once" "$(value BenchmarkFloor/batch32 cpu-ns/op)"
fi
if bench tsa web BenchmarkStampHandler 1s; then
	line tsa.http.handler.cpu "$(value BenchmarkStampHandler/door cpu-ns/op)" ns "the way of all other requests" "$(value BenchmarkStampHandler/router cpu-ns/op)"
fi
if bench tsa vault BenchmarkBoundary 2s; then
	line tsa.boundary.null.cpu "$(value BenchmarkBoundary/null/stream cpu-us/op)" µs "the same calls inside of the process" "$(value BenchmarkBoundary/null/inside cpu-us/op)"
	line tsa.boundary.p256.cpu "$(value BenchmarkBoundary/p256/stream cpu-us/op)" µs "the same calls inside of the process" "$(value BenchmarkBoundary/p256/inside cpu-us/op)"
fi
if [ -z "$group" ] || [ "$group" = tsa ]; then
	# The authority as a whole, beside its bare keys and beside sigstore's; T=20s measures for longer.
	scripts/sigstore.sh || echo "bench: sigstore's timestamp-server is missing: it could not be built" >&2
	peer=.interop/sigstore/timestamp-server
	[ -x "$peer" ] || peer=
	mkdir -p .interop/bench
	go build -trimpath -o .interop/bench/ ./cmd/sigillo ./interop/softtsa ./interop/stampbench
	.interop/bench/stampbench -sigillo .interop/bench/sigillo -softtsa .interop/bench/softtsa -sigstore "$peer" -for "${T:-5s}"
fi
figures cades formats/cades BenchmarkCAdES 5s
figures cades formats/cades BenchmarkStream2GB 1x
figures pades formats/pades BenchmarkPAdES 5s
figures pades formats/pades BenchmarkBigPDF 1x
figures xades formats/xades BenchmarkXAdES 5s
figures jades formats/jades BenchmarkSign 3s
figures asic formats/asic BenchmarkSign 3s
figures ers formats/ers 'Benchmark' 2s
figures tsd formats/tsd 'Benchmark' 2s
figures c14n formats/c14n BenchmarkCanonicalize 3s
figures certpath formats/certpath 'BenchmarkValidate|BenchmarkLargeList/read' 3s
if [ -z "$group" ] || [ "$group" = validate ]; then
	dss=.interop/dss/judge.jar
	hanko=.interop/pyhanko/bin/python
	[ -e "$dss" ] && command -v java >/dev/null || dss=
	[ -e "$hanko" ] && hanko="$hanko interop/pyhanko/judge.py" || hanko=
	if ! go run ./interop -rates -dss "$dss" -pyhanko "$hanko" >"$out" 2>&1; then
		cat "$out" >&2
		exit 1
	fi
	grep '^validate\.' "$out"
fi
if [ -z "$group" ] || [ "$group" = inspect ]; then
	# The documents are made by LibreOffice and qpdf the first time, which takes minutes.
	python=.interop/scanners/bin/python
	[ -x "$python" ] || python=
	clamav=.interop/clamav
	[ -x "$clamav/usr/sbin/clamd" ] || clamav=
	mkdir -p .interop/bench
	go build -trimpath -o .interop/bench/ ./interop/inspectbench
	.interop/bench/inspectbench -python "$python" -clamav "$clamav"
fi
figures service cmd/sigillo 'BenchmarkService|BenchmarkBigPDF' 1x
figures csc cmd/sigillo BenchmarkCSC 1x
