#!/bin/sh
# Fetch the NIST PKITS certificates and revocation lists (public domain) for
# TestPKITS. They come in the Python package cryptography-vectors, pinned by
# version and digest, and go to the folder given, by default .interop/pkits at
# the root of the source.
set -eu
version=50.0.2
sha256=51641f03a3eb4edbe9fb68e3a3574d25f86aa502d06391fffa886330d02778a0
to=${1:-$(cd "$(dirname "$0")/../../.." && pwd)/.interop/pkits}
[ -d "$to/certs" ] && [ -d "$to/crls" ] && { echo "PKITS is in $to"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
printf 'cryptography-vectors==%s --hash=sha256:%s\n' "$version" "$sha256" >"$tmp/want.txt"
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r "$tmp/want.txt" -d "$tmp"
mkdir -p "$to"
python3 - "$tmp"/*.whl "$to" <<'PY'
import pathlib, sys, zipfile
prefix = "cryptography_vectors/x509/PKITS_data/"
with zipfile.ZipFile(sys.argv[1]) as z:
    for name in z.namelist():
        folder, _, file = name.removeprefix(prefix).rpartition("/")
        if name.startswith(prefix) and folder in ("certs", "crls") and file:
            out = pathlib.Path(sys.argv[2], folder, file)
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_bytes(z.read(name))
PY
echo "PKITS is in $to"
