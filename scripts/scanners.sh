#!/bin/sh
# Sets up the scanners that our inspection is measured beside, and that tests ask
# where they are there: oletools and pdfid from PyPI into .interop/scanners, and
# ClamAV's daemon out of Debian's packages into .interop/clamav. The packages
# themselves are not installed: they would start a daemon on this machine. Says
# what is missing; fails never.
set -eu
if ! cmp -s interop/scanners/requirements.txt .interop/scanners/requirements.txt; then
	rm -rf .interop/scanners && mkdir -p .interop
	echo "scanners: installing what interop/scanners needs, from PyPI" >&2
	{ /usr/bin/python3 -m venv .interop/scanners &&
		scripts/retry.sh .interop/scanners/bin/pip install -q --disable-pip-version-check -r interop/scanners/requirements.txt &&
		cp interop/scanners/requirements.txt .interop/scanners/requirements.txt; } >&2 ||
		echo "scanners: olevba, oleid and pdfid are missing: pip could not install them" >&2
fi
if [ ! -x .interop/clamav/usr/sbin/clamd ]; then
	rm -rf .interop/clamav && mkdir -p .interop/clamav
	echo "scanners: unpacking ClamAV's daemon, from Debian" >&2
	(cd .interop/clamav && ../../scripts/retry.sh apt-get download -q clamav-daemon libclamav12 libmspack0 &&
		for package in *.deb; do dpkg-deb -x "$package" . || exit; done && rm -f ./*.deb) >&2 || {
		rm -rf .interop/clamav
		echo "scanners: clamd is missing: apt-get could not download it" >&2
	}
fi
