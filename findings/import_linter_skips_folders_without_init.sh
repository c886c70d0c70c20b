#!/usr/bin/env bash
# import-linter 2.17 (grimp 3.20): a forbidden import goes unseen if its file lies in a folder without __init__.py.
#
# Python imports such a folder (a namespace package) like any other, and setuptools packs it into the wheel, but the graph of
# imports leaves out the folder and everything below it without a word: the contract is "KEPT" and the exit code 0.
# With an empty __init__.py in the folder the same import is reported.
# Expected by most: what can be imported is looked at, or what is left out is named.
# Source: grimp's module finder, which walks from the root package through folders that hold __init__.py only.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check import-linter==2.17 grimp==3.20 2>/dev/null
mkdir -p app/low/inner app/high
touch app/__init__.py app/low/__init__.py app/high/__init__.py
echo "import app.high" > app/low/inner/module.py
cat > .importlinter <<'INI'
[importlinter]
root_package = app
[importlinter:contract:1]
name = low does not know high
type = forbidden
source_modules = app.low
forbidden_modules = app.high
INI
venv/bin/pip list --disable-pip-version-check 2>/dev/null | grep -i "import-linter\|grimp"
export PYTHONPATH="$work"
venv/bin/python -c "import app.low.inner.module, sys; print('Python imports it:', 'app.high' in sys.modules)"
without=$(venv/bin/lint-imports --no-cache 2>&1) && without_code=0 || without_code=$?
touch app/low/inner/__init__.py
with=$(venv/bin/lint-imports --no-cache 2>&1) && with_code=0 || with_code=$?
echo "without __init__.py: exit code $without_code: $(grep Contracts: <<<"$without")"
echo "with an empty one:   exit code $with_code: $(grep Contracts: <<<"$with")"
[ "$without_code" = 0 ] && [ "$with_code" = 1 ] || { echo "the behaviour has changed"; exit 1; }
