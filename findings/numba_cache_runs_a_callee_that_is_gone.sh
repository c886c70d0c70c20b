#!/usr/bin/env bash
# numba 0.68.1: with cache=True a function goes on running the old code of a function that it calls in another file.
#
# A cached kernel is keyed by the content of its own file. What it calls is compiled into it; when that changes in another
# file, the kernel's own file is the same, so the cache is taken for good: one process gives two answers for one function,
# the direct call the new one, the call through the cached kernel the old one. Deleting __pycache__ of the changed file does
# not help, a new process neither; only touching the caller's text (or removing its cache) does.
# Expected by most: the cache of a compiler knows what was compiled into it.
# Source: numba/core/caching.py, IndexDataCacheFile: the key is the caller's source stamp; the callee's is not looked at.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check numba==0.68.1 2>/dev/null
unset NUMBA_CACHE_DIR
printf 'from numba import njit\n\n@njit(cache=True)\ndef fee(notional):\n    return notional * 0.01\n' > fees.py
printf 'from numba import njit\nfrom fees import fee\n\n@njit(cache=True)\ndef cost(notional):\n    return notional + fee(notional)\n' > costs.py
printf 'from fees import fee\nfrom costs import cost\nprint(fee(100.0), cost(100.0))\n' > program.py
venv/bin/python -c "import numba; print('numba', numba.__version__)"
first=$(venv/bin/python program.py)
sed -i 's/0.01/0.02/' fees.py
second=$(venv/bin/python program.py)
echo "fee 1 %: fee and notional with fee: $first"
echo "fee 2 %: fee and notional with fee: $second"
[ "$first" = "1.0 101.0" ] && [ "$second" = "2.0 101.0" ] || { echo "the behaviour has changed"; exit 1; }
