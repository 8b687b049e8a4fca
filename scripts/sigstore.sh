#!/bin/sh
# Builds sigstore's timestamp-server into .interop/sigstore through the module
# proxy: the authority that ours is measured beside. v2.1.3 is the last version
# that the Go named in go.mod can build; v2.1.4 and later want Go 1.27.
set -eu
version=v2.1.3
dir=.interop/sigstore
[ -x "$dir/timestamp-server" ] && [ "$(cat "$dir/version" 2>/dev/null)" = "$version" ] && exit 0
echo "sigstore: building timestamp-server $version, which takes minutes the first time" >&2
rm -rf "$dir" && mkdir -p "$dir"
GOBIN=$PWD/$dir GOFLAGS= scripts/retry.sh go install "github.com/sigstore/timestamp-authority/v2/cmd/timestamp-server@$version"
echo "$version" >"$dir/version"
