#!/bin/sh
# Installs into .venv: checks what is needed, brings uv where it is missing, compiles mmcv once a machine.
set -eu
cd "$(dirname "$0")/.."
PYTHON=$(sh setup/preflight.sh)
UV=$(command -v uv || echo .uv/bin/uv)
if ! command -v "$UV" >/dev/null; then
    echo "setup: bringing uv into .uv"
    "$PYTHON" -m venv .uv
    .uv/bin/python -m pip install --quiet uv==0.13.8
fi
if [ ! -d .venv ] && ! "$PYTHON" setup/mmcv/backend.py >/dev/null; then
    echo "setup: compiling mmcv's ops, once on this machine: 8 to 15 minutes on two cores"
    kept=$(mktemp -d)
    "$UV" build --wheel --python "$PYTHON" --out-dir "$kept" setup/mmcv
    rm -r "$kept"
fi
"$UV" sync --python "$PYTHON"
