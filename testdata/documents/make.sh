#!/bin/sh
# Makes the documents of this folder again (fattura.xml is written by hand).
# Needs: libreoffice (writer), qpdf, python3. Run it anywhere: sh testdata/documents/make.sh
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

office() { # office FORMAT FILE: converts FILE with a fresh profile, so that no user's settings leak in
    libreoffice "-env:UserInstallation=file://$tmp/profile" --headless --convert-to "$1" --outdir "$tmp" "$2" >/dev/null 2>&1
}

python3 "$here/src/logo.py" >"$tmp/logo.png"
python3 "$here/src/text.py" contratto "$tmp/logo.png" >"$tmp/contratto.fodt"
python3 "$here/src/text.py" lettera "$tmp/logo.png" >"$tmp/lettera.fodt"

office pdf "$tmp/contratto.fodt"
office docx "$tmp/lettera.fodt"
cp "$tmp/contratto.pdf" "$tmp/lettera.docx" "$here/"

# An /OpenAction that runs JavaScript, in a catalog that lies inside an object stream:
# a search for the bytes "/JavaScript" does not find it.
qpdf --qdf --object-streams=disable --pages "$here/contratto.pdf" 1 -- "$here/contratto.pdf" "$tmp/plain.pdf"
python3 - "$tmp/plain.pdf" "$tmp/edited.pdf" <<'PY'
import re, sys
data = open(sys.argv[1], "rb").read()
data = re.sub(rb"/OpenAction \[.*?\]\n|/OpenAction \d+ \d+ R\n", b"", data, flags=re.S)
action = b'/OpenAction << /S /JavaScript /JS (this.getField\\("prezzo"\\).value = "1,00";) >>\n  '
data, n = re.subn(rb"/Type /Catalog", action + b"/Type /Catalog", data, count=1)
assert n == 1
open(sys.argv[2], "wb").write(data)
PY
fix-qdf "$tmp/edited.pdf" >"$tmp/fixed.pdf"
qpdf --object-streams=generate "$tmp/fixed.pdf" "$here/contratto-javascript.pdf"
if grep -a -q -e '/JavaScript' "$here/contratto-javascript.pdf"; then
    echo "the action is not hidden in an object stream" >&2
    exit 1
fi

qpdf --encrypt lettore proprietario 256 -- "$here/contratto.pdf" "$here/cifrato.pdf"
head -c 20000 "$here/contratto.pdf" >"$here/troncato.pdf"
python3 "$here/src/macro.py" "$here/lettera.docx" "$here/macro.docm"
