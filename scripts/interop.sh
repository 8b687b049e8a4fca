#!/bin/sh
# Has programs that are not ours judge every form, level and type of key. The
# last line is "N passed, N failed".
#
# EU DSS and pyHanko come from Maven Central and PyPI and are built into
# .interop once. If one cannot be had, this says so, and the others judge.
set -eu
scripts/setup.sh interop || echo "interop: Debian packages are missing; going on without them"

jar=.interop/dss/judge.jar
dss="java -XX:TieredStopAtLevel=1 -jar $jar"
if [ ! -e "$jar" ] || [ -n "$(find interop/dss -type f -newer "$jar")" ]; then
	rm -f "$jar"
	echo "interop: building the program around EU DSS, from Maven Central"
	scripts/retry.sh mvn -q -B -f interop/dss package || {
		echo "interop: EU DSS is missing: Maven could not build it"
		dss=
	}
fi

venv=.interop/pyhanko
pyhanko="$venv/bin/python interop/pyhanko/judge.py"
wanted=interop/pyhanko/requirements.txt
if ! cmp -s "$wanted" "$venv/requirements.txt"; then
	rm -rf "$venv"
	echo "interop: installing pyHanko, from PyPI"
	if /usr/bin/python3 -m venv "$venv" && scripts/retry.sh "$venv/bin/pip" install -q --disable-pip-version-check -r "$wanted"; then
		cp "$wanted" "$venv/requirements.txt"
	else
		echo "interop: pyHanko is missing: pip could not install it"
		pyhanko=
	fi
fi
exec bin/sigillo interop --dss "$dss" --pyhanko "$pyhanko"
