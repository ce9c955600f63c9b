#!/bin/sh
# Make the virtual environment .venv with what this project needs. Python 3.10 or newer; no GPU is needed.
set -eu
cd "$(dirname "$0")"
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then # Debian and Ubuntu keep these apart from python3
    root=$([ "$(id -u)" = 0 ] || echo sudo)
    $root apt-get update
    $root apt-get install -y python3-venv
fi
[ -x .venv/bin/pip ] || python3 -m venv .venv
.venv/bin/pip install -r requirements.txt
