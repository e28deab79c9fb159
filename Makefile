# Every target sets up all that it needs in .venv; nothing is expected but Python 3.11+ and the package registry.
VENV := .venv
BIN := $(VENV)/bin
# The first interpreter that runs and is new enough; name another with `make PYTHON=...`.
PYTHON := $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)

.PHONY: help demo test test-kubernetes lint bench crds clean

help:
	@echo 'make demo   install into .venv and watch a Service go 0 -> N -> 0'
	@echo 'make test   install and run the whole suite'
	@echo 'make test-kubernetes  the same end-to-end tests, and more, on a real Kubernetes node made for them (root, Debian, Go),'
	@echo '            or on the cluster of SWELL_TEST_KUBECONFIG; see CONTRIBUTING.md'
	@echo 'make lint   ruff, mypy strict, import contracts'
	@echo 'make bench  measure; the figures in docs/benchmarks.md come from here'
	@echo 'make crds   write manifests/crds anew from swell.api'

$(VENV)/.made:
	@test -n "$(PYTHON)" || { echo 'swell needs Python 3.11 or newer; none was found. Install one, or name it: make PYTHON=/path/to/python3'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml $(VENV)/.made
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/swell demo

# Two processes: tests wait for most of their time. Each has its half, and takes from the other's when it is through.
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2 --dist worksteal

test-kubernetes: $(VENV)/.installed-dev
	$(BIN)/python -m swell.testing.prepare
	$(BIN)/python -m pytest tests/kubernetes tests/e2e --home=kubernetes

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.installed-dev
	$(BIN)/python -m bench.proxy
	$(BIN)/python -m bench.coldstart
	$(BIN)/python -m bench.start
	$(BIN)/python -m bench.idle
	$(BIN)/python -m bench.scrape
	$(BIN)/python -m bench.tick
	$(BIN)/python -m bench.endurance
	$(BIN)/python -m bench.kubernetes

crds: $(VENV)/.installed-dev
	$(BIN)/python -m swell.api.crds

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
