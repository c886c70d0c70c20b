#!/usr/bin/env bash
# pytest-xdist 3.8.0 with pytest 9.2.0: `--dist loadgroup` is accepted and groups nothing, without a word.
#
# Tests marked with the same xdist_group are promised to run in one process. The plugin tells the scheduler of a group by
# writing it behind the test's name, into the private attribute `_nodeid`. pytest 9.2 does not read a name from there any
# more: it makes it from `_id`. So no name has a group, every test is a group of its own, and tests that share what only one
# process may hold run at the same time. With pytest 9.0 the same file keeps its groups.
# Expected by most: a plugin that the installer takes as fitting does what its option says, or fails.
# Source: xdist/remote.py, pytest_collection_modifyitems; _pytest/nodes.py, Node.nodeid.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
cat > test_groups.py <<'PYTHON'
import os
import time

import pytest


@pytest.mark.parametrize("number", range(20))
@pytest.mark.xdist_group("one at a time")
def test_alone(number):
    time.sleep(0.05)
    with open(os.environ["SEEN"], "a") as seen:
        seen.write(os.environ["PYTEST_XDIST_WORKER"] + "\n")
PYTHON
processes() {  # PYTEST_VERSION - in how many processes the one group ran
    python3 -m venv "venv-$1"
    "venv-$1/bin/pip" install -q --disable-pip-version-check "pytest==$1" pytest-xdist==3.8.0 2>/dev/null
    SEEN="$work/seen-$1" "venv-$1/bin/python" -m pytest -q -p no:cacheprovider -n 2 --dist loadgroup test_groups.py >"said-$1"
    sort -u "seen-$1" | wc -l
}
before=$(processes 9.0.0)
now=$(processes 9.2.0)
echo "pytest-xdist 3.8.0, one group of 20 tests, two processes"
echo "pytest 9.0.0: it ran in $before; pytest 9.2.0: in $now; $(tail -1 said-9.2.0)"
[ "$before" = 1 ] && [ "$now" = 2 ] || { echo "the behaviour has changed"; exit 1; }
