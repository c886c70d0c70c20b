#!/usr/bin/env bash
# grafana-foundation-sdk on PyPI: `pip install grafana-foundation-sdk` installs the SDK of the oldest Grafana that it is made for.
#
# Early releases were numbered BUILD!GRAFANA, e.g. 1769699998!10.1.0, with the time of the build as the *epoch* of the version.
# An epoch outranks everything: the branch that was built last in a batch (Grafana 10.1) is "newer" than those of Grafana 11 and
# 12, and every such release is newer than today's plain 0.0.x, which pip therefore never chooses by itself, whatever lower bound
# (>=0.0.21) is asked for. Only an exact pin gets a current one.
# Expected by most: without a pin one gets the newest.
# Source: PEP 440 on epochs; the release history of grafana-foundation-sdk.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv venv
pip() { venv/bin/pip "$@" --disable-pip-version-check 2>/dev/null; }
pip download -q --no-deps -d any "grafana-foundation-sdk>=0.0.21"
pip download -q --no-deps -d pinned "grafana-foundation-sdk==0.0.21"
any=$(basename any/*.whl) pinned=$(basename pinned/*.whl)
echo "grafana-foundation-sdk, asked for >=0.0.21: $any"
echo "grafana-foundation-sdk, asked for ==0.0.21: $pinned"
printf 'import grafana_foundation_sdk, pathlib; root = pathlib.Path(grafana_foundation_sdk.__path__[0])\nprint("  dashboardv2 is there:", any(root.rglob("dashboardv2*")))\n' > look.py
for folder in any pinned; do
    python3 -m venv "env-$folder" && "env-$folder/bin/pip" install -q --disable-pip-version-check --no-deps $folder/*.whl 2>/dev/null
    echo "$folder:" && "env-$folder/bin/python" look.py
done
case "$any" in *'!'*10.1.0*|*%21*10.1.0*) ;; *) echo "the behaviour has changed"; exit 1 ;; esac
