#!/bin/sh
# Has programs that are not ours judge every form, level and type of key. The
# last line is "N passed, N failed".
set -eu
exec bin/sigillo interop
