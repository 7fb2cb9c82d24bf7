#!/bin/sh
# Installs into .venv: checks what is needed, and fetches uv if it is missing. Nothing is compiled.
set -eu
cd "$(dirname "$0")/.."
PYTHON=$(sh setup/preflight.sh)
UV=$(command -v uv || echo .uv/bin/uv)
if ! command -v "$UV" >/dev/null; then
    echo "setup: installing uv into .uv"
    "$PYTHON" -m venv .uv
    .uv/bin/python -m pip install --quiet --require-hashes --requirement setup/uv.txt
fi
echo "setup: installing packages into .venv (the first time on a machine, several GB are downloaded)"
"$UV" sync --python "$PYTHON"
