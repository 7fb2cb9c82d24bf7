#!/bin/sh
# Makes sure that Chromium and its driver are there, for the tests of the pages.
set -eu
missing=0
for tool in chromium chromedriver; do
    command -v "$tool" >/dev/null || missing=1
done
[ "$missing" -eq 0 ] && exit 0
if command -v apt-get >/dev/null && [ "$(id -u)" -eq 0 ]; then
    echo "setup: installing Chromium and its driver, for the tests of the pages"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y chromium chromium-driver >/dev/null && exit 0
fi
echo "setup: the tests of the pages need chromium and chromedriver: install them (Debian: sudo apt-get install chromium chromium-driver)" >&2
exit 1
