.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WARM := $(VENV)/.warm

BENCH_TAPES ?= $(or $(PAPER_TEST_DATA),../shared/data)
HFTBACKTEST := build/hftbacktest/bin/python

.PHONY: help setup run bench bench-quick test test-long test-ccxt test-clients test-compose test-wheel audit lock-check coverage mutation fuzz lint unit integration docs dashboards lock pin up down logs clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(WARM)  ## install everything into .venv and compile the kernels

$(WARM): $(STAMP) $(shell find services shared replay -name '*.py')
	$(BIN)/papertrader warm
	touch $@

$(STAMP): requirements-dev.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

run: setup  ## the whole system on the synthetic market, until Ctrl-C
	$(BIN)/papertrader run

lint: setup  ## ruff, mypy --strict and the ways of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

unit: setup  ## the fast tests
	$(BIN)/pytest -q tests/unit tests/property

QUICK := tests/unit tests/property tests/golden tests/truth

test: lint  ## lint and every test but the long ones
	$(BIN)/pytest -q -m "not long" -n 2 $(QUICK)
	$(BIN)/pytest -q -m "not long" -n 3 --no-loadscope-reorder --durations 15 $(addprefix --ignore=,$(QUICK))

KERNEL_TESTS := $(addprefix tests/unit/test_,book.py features.py fill_sim_*.py estimator_*.py calibration_*.py outcome_tracker_*.py money.py quoter_glft.py quoter_kernel.py quoter_orders.py)
COVERAGE := $(BIN)/coverage

coverage: setup  ## branches that tests reach, kernels in their Python form
	$(COVERAGE) erase
	NUMBA_DISABLE_JIT=1 $(COVERAGE) run -m pytest -q -p tests.python_form $(wildcard $(KERNEL_TESTS))
	$(COVERAGE) report

MUTATION := build/mutation/bin/python

$(MUTATION): requirements-mutation.lock
	$(PYTHON) -m venv build/mutation
	$(MUTATION) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-mutation.lock
	touch $@

mutation: setup $(MUTATION)  ## which changes of the money and queue kernels no test notices (an hour)
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m tools.mutation $(MUTATION) $(MODULES)

test-long: setup  ## chaos, scaling, whole tapes
	$(BIN)/pytest -q -m long

fuzz: setup  ## a million broken bodies and frames against the gateway (some ten minutes)
	$(BIN)/python -m tests.fuzz

test-ccxt:  ## the ccxt source with ccxt itself, in an environment of its own: it pins older packages than the product has
	test -x .venv-ccxt/bin/python || $(PYTHON) -m venv .venv-ccxt
	.venv-ccxt/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-ccxt.lock
	PYTHONPATH=. .venv-ccxt/bin/python -m pytest -q tests/unit/test_feed_ccxt.py tests/integration/test_live_ccxt.py

CLIENTS := build/clients/bin/python

$(CLIENTS): requirements-clients.lock
	$(PYTHON) -m venv build/clients
	$(CLIENTS) -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-clients.lock
	touch $@

NODE_CLIENTS := build/clients-node/.installed

$(NODE_CLIENTS): tests/clients/node/package-lock.json
	mkdir -p $(@D)
	cp tests/clients/node/package.json tests/clients/node/package-lock.json $(@D)
	if command -v npm; then cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund; else echo "NO npm: NO CLIENT OF JAVASCRIPT IS TESTED"; fi
	touch $@

test-clients: setup $(CLIENTS) $(NODE_CLIENTS)  ## real clients of Python and JavaScript trade on the gateway, in environments of their own
	PAPERTRADER=$(CURDIR)/$(BIN)/papertrader $(CLIENTS) -m pytest -c tests/clients/pytest.ini --rootdir tests/clients tests/clients

test-compose: setup  ## the whole stack on a real Docker engine, from build to break and repair (root)
	$(BIN)/python -m tests.compose.e2e

test-wheel: setup  ## the wheel, in empty environments of every Python that is here
	$(BIN)/python -m tests.wheel

AUDIT := build/audit/bin/pip-audit

$(AUDIT): requirements-audit.lock
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-audit.lock
	touch $@

audit: setup $(AUDIT)  ## the bill of materials, and what is known to be vulnerable in it
	$(BIN)/python -m tools.audit $(AUDIT)

lock-check: setup  ## whether uv.lock is what pyproject.toml asks for
	$(BIN)/uv lock --quiet --check

pin: setup  ## the digest of every image, asked of the registries and written down
	$(BIN)/python -m tools.images

up:  ## the whole system in containers, with Prometheus, Alertmanager and Grafana
	docker compose up --build --detach --wait
	@echo "page http://127.0.0.1:8080  Grafana http://127.0.0.1:3000  Prometheus http://127.0.0.1:9090"
	@echo "Grafana's admin has the password that is in: docker compose exec grafana cat /run/grafana/password"

down:  ## stop the containers; log, accounts and checkpoints stay
	docker compose down

logs:  ## follow the containers' logs
	docker compose logs --follow --tail 100

$(HFTBACKTEST):
	$(PYTHON) -m venv build/hftbacktest
	$(HFTBACKTEST) -m pip install --quiet --disable-pip-version-check hftbacktest

bench: setup $(HFTBACKTEST)  ## measure everything and write the table of docs/benchmarks.md (half an hour, on a quiet machine)
	$(BIN)/python -m benchmarks $(BENCH_TAPES) $(HFTBACKTEST)

bench-quick: setup $(HFTBACKTEST)  ## the same with small sizes, written nowhere
	$(BIN)/python -m benchmarks $(BENCH_TAPES) $(HFTBACKTEST) --quick --repetitions 2

dashboards: setup  ## generate the Grafana dashboards
	$(BIN)/python -m grafana.generate

lock:  ## lock what pyproject.toml asks for, and write pip's requirement files from the lock
	$(BIN)/python -m tools.locks

docs: setup  ## generate the reference pages, draw the architecture, and build the site in build/site/site
	$(BIN)/python -m docs.generate
	$(BIN)/python -m docs.picture
	$(BIN)/python -m docs.site

clean:  ## remove everything that was built
	rm -rf $(VENV) .venv-ccxt .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
