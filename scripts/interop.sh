#!/bin/sh
# Has programs that are not ours judge what the service signs and what the
# packages below formats make, and has us judge what others make. The last line
# is "N passed, N failed". Arguments go to the suite: -only formats,pdfs and so
# on run a part, -keep FOLDER leaves all files there.
#
# EU DSS and veraPDF come from Maven Central, pyHanko and the PDF libraries of
# Python from PyPI; they are built into .interop once. If one cannot be had, this
# says so, and the others judge.
set -eu
scripts/setup.sh interop || echo "interop: Debian packages are missing; going on without them"

jar=.interop/dss/judge.jar
if [ ! -e "$jar" ] || [ -n "$(find interop/dss -type f -newer "$jar")" ]; then
	rm -f "$jar"
	echo "interop: building the programs around EU DSS and veraPDF, from Maven Central"
	scripts/retry.sh mvn -q -B -f interop/dss package || {
		echo "interop: EU DSS and veraPDF are missing: Maven could not build them"
		jar=
	}
fi

# venv NAME: a Python with what interop/NAME/requirements.txt asks for; fails if it cannot be had.
venv() {
	cmp -s "interop/$1/requirements.txt" ".interop/$1/requirements.txt" && return
	rm -rf ".interop/$1"
	echo "interop: installing what interop/$1 needs, from PyPI"
	/usr/bin/python3 -m venv ".interop/$1" &&
		scripts/retry.sh ".interop/$1/bin/pip" install -q --disable-pip-version-check -r "interop/$1/requirements.txt" &&
		cp "interop/$1/requirements.txt" ".interop/$1/requirements.txt"
}
pyhanko=".interop/pyhanko/bin/python interop/pyhanko/judge.py"
venv pyhanko || {
	echo "interop: pyHanko is missing: pip could not install it"
	pyhanko=
}
python=.interop/pdfs/bin/python
venv pdfs || {
	echo "interop: the PDF libraries of Python are missing: pip could not install them"
	python=
}
contract="$PWD/.interop/schemathesis/bin/st"
venv schemathesis || {
	echo "interop: schemathesis is missing: pip could not install it"
	contract=
}
scripts/scanners.sh # tests and measurements alone ask them

go build -trimpath -o .interop/interop ./interop
exec .interop/interop -sigillo bin/sigillo -dss "$jar" -pyhanko "$pyhanko" -python "$python" -schemathesis "$contract" "$@"
