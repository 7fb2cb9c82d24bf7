#!/bin/sh
# Says in one plain line each what is missing, before anything long starts.
set -u
cd "$(dirname "$0")/.." || exit 1
missing=0
lacks() { echo "setup: $*" >&2; missing=1; }

PYTHON=${PYTHON:-}
for candidate in $PYTHON python3 python3.12 python3.11 python3.10; do
    "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null || continue
    PYTHON=$candidate && break
done
fits() { "$PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; }

command -v git >/dev/null || lacks "git is missing: install it (Debian, Ubuntu: apt-get install git)"
if [ -z "$PYTHON" ] || ! fits; then
    lacks "Python 3.10, 3.11 or 3.12 is missing: install one (Debian, Ubuntu: apt-get install python3 python3-venv python3-dev) or name it, as in 'make demo PYTHON=/path/to/python3.11'"
elif [ ! -d .venv ] && ! "$PYTHON" setup/mmcv/backend.py >/dev/null; then
    # mmcv's ops have to be compiled on this machine.
    command -v "${CXX:-g++}" >/dev/null || lacks "a C++ compiler is missing: install one (Debian, Ubuntu: apt-get install g++)"
    "$PYTHON" -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
        lacks "Python's headers are missing: install them (Debian, Ubuntu: apt-get install python3-dev)"
fi
if [ -n "$PYTHON" ] && fits && [ ! -x .uv/bin/uv ] && ! command -v uv >/dev/null; then
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        lacks "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)"
fi
if [ ! -d .venv ]; then
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "${NEEDED_GB:-12}" ] || lacks "$free GB of disk are free here, ${NEEDED_GB:-12} GB are needed: make room or clone elsewhere"
fi
[ "$missing" -eq 0 ] && echo "$PYTHON"
exit "$missing"
