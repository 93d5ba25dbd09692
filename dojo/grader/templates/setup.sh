#!/usr/bin/env bash
# Gradescope runs this once, as root, when it builds the image for an assignment; only then is there a network.
#
# Student code runs as another user than root, who has to be able to read the interpreter and the packages. So
# both are outside root's home, and the Python is one of our own if the image has none that is new enough.
set -euo pipefail
autograder=${AUTOGRADER:-/autograder}
place=${DOJO_PLACE:-/opt/dojo}

mkdir -p "$place"
if [ "$(id -u)" = 0 ]; then
    apt-get update
    apt-get install -y --no-install-recommends ca-certificates python3 python3-venv util-linux
fi
python3 -m venv "$place/uv"
"$place/uv/bin/pip" install --quiet --disable-pip-version-check uv
export UV_PYTHON_INSTALL_DIR="$place/python" UV_LINK_MODE=copy
"$place/uv/bin/uv" venv --quiet --clear --python '>=3.11' "$place/venv"
"$place/uv/bin/uv" pip install --quiet --python "$place/venv/bin/python" -e "$autograder/source/repository"
"$place/venv/bin/python" -m compileall -q "$autograder/source/repository/dojo"
chmod -R a+rX "$place"

# What is amiss shows when the image is built, and not when the first student hands in.
cd "$autograder/source/repository"
"$place/venv/bin/python" -m dojo.cli doctor
