#!/usr/bin/env bash
# orjson 3.13.0: an integer beyond 64 bits is read as a float, without a word: the last digits are gone.
#
# 18446744073709551615 (2^64 - 1) comes back as the int that it is; 18446744073709551617 (2^64 + 1) as the float
# 1.8446744073709552e+19. Python's json and msgspec return the exact int. Ids, nonces and amounts in the smallest unit of a
# currency (10^18 of them make one ether, so 19 of those do not fit) are such integers in JSON of venues and chains. The type
# depends on the value, so a test with small numbers does not see it. And orjson.dumps refuses to write such an int: what
# other libraries write it cannot write, what it reads it has changed.
# Expected by most: an int, or an error.
# Source: orjson's parser (numbers that fit neither i64 nor u64 become f64).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check orjson==3.13.0 msgspec==0.22.0 2>/dev/null
cat > program.py <<'PYTHON'
import json
import sys
from importlib.metadata import version

import msgspec
import orjson

print("orjson", version("orjson"), " msgspec", version("msgspec"))
found = {}
for number in (2**64 - 1, 2**64 + 1, 19 * 10**18 + 1):
    text = b'{"id": %d}' % number
    for name, loads in (("json", json.loads), ("msgspec", msgspec.json.decode), ("orjson", orjson.loads)):
        value = found[name, number] = loads(text)["id"]
        print(f"{name:8} {text.decode():32} {value!r:24} {'exact' if value == number and type(value) is int else 'CHANGED'}")
try:
    written = orjson.dumps(2**64 + 1)
except TypeError as error:
    written = error
print("orjson.dumps(2**64 + 1):", repr(written))
large = (2**64 + 1, 19 * 10**18 + 1)
same = found["orjson", 2**64 - 1] == 2**64 - 1 and all(type(found["orjson", number]) is float for number in large)
same = same and all(found[name, number] == number for name in ("json", "msgspec") for number in large)
sys.exit(0 if same and isinstance(written, TypeError) else "the behaviour has changed")
PYTHON
venv/bin/python program.py
