#!/bin/sh
# Reports in one line each what is missing, before anything long starts. Prints the interpreter.
set -u
cd "$(dirname "$0")/.." || exit 1
missing=0
missing_tool() { echo "setup: $*" >&2; missing=1; }

PYTHON=${PYTHON:-}
for candidate in $PYTHON python3 python3.13 python3.12 python3.11 python3.10; do
    "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || continue
    PYTHON=$candidate && break
done
fits() { "$PYTHON" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }

command -v git >/dev/null || missing_tool "git is missing: install it (Debian, Ubuntu: apt-get install git)"
if [ -z "$PYTHON" ] || ! fits; then
    missing_tool "Python 3.10, 3.11, 3.12 or 3.13 is missing: install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it, as in 'make demo PYTHON=/path/to/python3.11'"
fi
if [ -n "$PYTHON" ] && fits && [ ! -x .uv/bin/uv ] && ! command -v uv >/dev/null; then
    "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
        missing_tool "Python's venv module is missing: install it (Debian, Ubuntu: apt-get install python3-venv)"
fi
if [ ! -d .venv ]; then
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1048576) }')
    [ "$free" -ge "${NEEDED_GB:-12}" ] || missing_tool "$free GB of disk are free here, ${NEEDED_GB:-12} GB are needed: free some, or clone elsewhere"
fi
[ "$missing" -eq 0 ] && echo "$PYTHON"
exit "$missing"
