#!/usr/bin/env bash
# pip-audit 2.10.1: "No known vulnerabilities found" and exit code 0 although not one package could be audited.
#
# A package that PyPI's interface does not know (a private one, a typing error, or every package where the index is a mirror
# without that interface) is skipped. The line on standard error and the exit code are those of a clean audit; that all was
# skipped stands only in the table. --strict makes it an error, but then one private package among many is one as well.
# Expected by most: an audit that asked about nothing is no success.
# Source: pip_audit/_cli.py (skipped dependencies are left out of the count that decides) and _service/pypi.py.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
venv/bin/pip install -q --disable-pip-version-check pip-audit==2.10.1 2>/dev/null
echo "a-private-package-of-ours==1.0" > requirements.txt
venv/bin/pip-audit --version
for strict in "" "--strict"; do
    code=0
    said=$(venv/bin/pip-audit $strict -r requirements.txt --no-deps --disable-pip --progress-spinner off 2>&1) || code=$?
    echo "pip-audit $strict: exit code $code"
    grep "No known vulnerabilities\|could not be audited\|ERROR" <<<"$said" || true
    if [ -z "$strict" ]; then
        [ "$code" = 0 ] && grep -q "No known vulnerabilities found" <<<"$said" || { echo "the behaviour has changed"; exit 1; }
    else
        [ "$code" = 1 ] || { echo "the behaviour has changed"; exit 1; }
    fi
done
