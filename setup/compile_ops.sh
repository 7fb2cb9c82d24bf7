#!/bin/sh
# Compiles mmcv's own operators into .venv: about 15 minutes on two cores. Few models need them.
set -eu
cd "$(dirname "$0")/.."
for tool in "${CXX:-g++}"; do
    command -v "$tool" >/dev/null || { echo "setup: a C++ compiler is missing: install one (Debian, Ubuntu: apt-get install g++ python3-dev)" >&2; exit 1; }
done
UV=$(command -v uv || echo .uv/bin/uv)
"$UV" pip install --quiet 'setuptools<81' wheel ninja psutil
MMCV_WITH_OPS=1 "$UV" pip install --reinstall --no-deps --no-build-isolation \
    --no-binary onedl-mmcv onedl-mmcv==2.3.6
