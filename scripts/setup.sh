#!/bin/sh
# Installs what building and running Sigillo needs beyond Go, git and make:
# Debian packages, each named with its reason. Says what it does, does nothing
# when all is there, works as root or with sudo. Usage: setup.sh run|test|interop
set -eu

# command or file to look for : Debian package : what for
run='
/usr/lib/softhsm/libsofthsm2.so:softhsm2:the token that holds the keys
/usr/bin/pdftoppm:poppler-utils:page images of PDF documents, and pdfsig as a judge
/usr/bin/mutool:mupdf-tools:a second opinion on the page images of PDF documents, and a judge of PDF signatures
/usr/bin/bwrap:bubblewrap:the sandbox around page rendering
/usr/lib/libreoffice/share/registry/writer.xcd:libreoffice-writer-nogui:page images of word processor documents
/usr/lib/libreoffice/share/registry/calc.xcd:libreoffice-calc-nogui:page images of spreadsheets
/usr/lib/libreoffice/share/registry/impress.xcd:libreoffice-impress-nogui:page images of presentations
/usr/share/fonts/truetype/liberation:fonts-liberation:fonts for page images
/usr/bin/gcc:gcc:building the PKCS#11 binding (cgo)
/usr/include/stdlib.h:libc6-dev:building the PKCS#11 binding (cgo)
/usr/bin/openssl:openssl:a judge of CMS, time-stamps, OCSP and CRLs
/usr/bin/xmlsec1:xmlsec1:a judge of XML signatures
/etc/ssl/certs/ca-certificates.crt:ca-certificates:downloads from the package registries
'
test='
/usr/bin/chromium:chromium:browser tests
/usr/bin/qpdf:qpdf:a judge of PDF files
/usr/bin/xmllint:libxml2-utils:a judge of canonical XML
/usr/lib/python3/dist-packages/lxml:python3-lxml:a judge of canonical XML below the root
/usr/lib/python3/dist-packages/pip:python3-pip:fetching a test suite of path validation
/usr/bin/pk12util:libnss3-tools:a card in a browser, and the key that LibreOffice signs with as a client of time-stamping authorities
/usr/share/doc/libnss3:libnss3:a second token, for the tests of tokens
/usr/share/doc/libseccomp2:libseccomp2:chronyd, for the tests of the clock
/usr/share/doc/libcap2:libcap2:chronyd, for the tests of the clock
/usr/share/doc/libnettle8:libnettle8:chronyd, for the tests of the clock
/usr/share/doc/libgnutls30:libgnutls30:chronyd, for the tests of the clock
'
interop='
/usr/bin/javac:default-jdk-headless:EU DSS, a judge of all forms and their levels
/usr/bin/mvn:maven:EU DSS, a judge of all forms and their levels
/var/lib/dpkg/info/python3-venv.list:python3-venv:pyHanko, a judge of PDF and CMS signatures
/usr/lib/libreoffice/share/registry/draw.xcd:libreoffice-draw-nogui:PDF files to sign
/usr/bin/gs:ghostscript:PDF files to sign
/usr/bin/pdflatex:texlive-latex-base:PDF files to sign
/usr/bin/gropdf:groff:PDF files to sign
/usr/bin/pandoc:pandoc:PDF files to sign
/usr/bin/enscript:enscript:PDF files to sign, through ghostscript
/usr/bin/a2ps:a2ps:PDF files to sign, through ghostscript
/usr/bin/rsvg-convert:librsvg2-bin:PDF files to sign
/usr/lib/python3/dist-packages/cairo:python3-cairo:PDF files to sign
/usr/bin/dot:graphviz:PDF files to sign
/usr/bin/gnuplot:gnuplot-nox:PDF files to sign
/usr/bin/pdftk:pdftk-java:PDF files to sign
/usr/bin/podofoimg2pdf:libpodofo-utils:PDF files to sign
/usr/share/doc/libpangoft2-1.0-0:libpangoft2-1.0-0:PDF files to sign, by WeasyPrint
/usr/bin/curl:curl:a client of time-stamping authorities
/usr/share/doc/libwww-curl-perl:libwww-curl-perl:tsget, a client of time-stamping authorities
/usr/bin/osslsigncode:osslsigncode:a client of time-stamping authorities
/usr/share/java/bcpkix.jar:libbcpkix-java:BouncyCastle, a client of time-stamping authorities
/usr/lib/python3/dist-packages/rfc3161ng:python3-rfc3161ng:a client of time-stamping authorities
/usr/lib/python3/dist-packages/pyasn1_modules:python3-pyasn1-modules:what python3-rfc3161ng needs
'
case ${1:-run} in
interop) want="$run$test$interop" ;;
test) want="$run$test" ;;
*) want=$run ;;
esac

missing=
IFS='
'
for line in $want; do
	file=${line%%:*}; rest=${line#*:}
	if [ ! -e "$file" ]; then
		missing="$missing ${rest%%:*}"
		echo "setup: ${rest%%:*} is needed: ${rest#*:}"
	fi
done
unset IFS
command -v npm >/dev/null 2>&1 || {
	missing="$missing npm"
	echo "setup: npm is needed: the web face's style sheets and fonts"
}
# The tests of the clock run chronyd with -x, which touches no clock. Debian's
# package chrony would take the place of the time service of this machine and
# start to steer its clock, so the program alone is taken out of the package.
chronyd=
if [ "${1:-run}" != run ] && [ ! -x /usr/sbin/chronyd ] && [ ! -x .interop/chrony/chronyd ]; then
	chronyd=yes
	echo "setup: chronyd is needed: the tests of the clock; it goes to .interop/chrony, the package chrony is not installed"
fi
[ -n "$missing$chronyd" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null 2>&1 || { echo "setup: run this as root, or install sudo"; exit 1; }
	sudo=sudo
fi
retry() { # downloads fail now and then
	for wait in 2 10 30; do
		"$@" && return
		echo "setup: failed, trying again in $wait s"
		sleep $wait
	done
	"$@"
}
retry $sudo apt-get update -q
if [ -n "$missing" ]; then
	echo "setup: installing with apt-get:$missing"
	# shellcheck disable=SC2086
	retry $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing
fi
if [ -n "$chronyd" ]; then
	rm -rf .interop/chrony && mkdir -p .interop/chrony
	(cd .interop/chrony && retry apt-get download -q chrony)
	dpkg --fsys-tarfile .interop/chrony/chrony_*.deb | tar -x -O ./usr/sbin/chronyd >.interop/chrony/chronyd
	chmod 755 .interop/chrony/chronyd
	rm -f .interop/chrony/chrony_*.deb
	.interop/chrony/chronyd --version
fi
