# Two commands: `make run` shows this machine's socket layer, `make test` runs the tests. Both make .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MIN := .venv-min
STAMP := $(VENV)/.installed
ARGS ?=
# Processes that run the tests, which wait as much as they work: three on two CPUs. 0 runs them in pytest's own.
JOBS ?= $(shell echo $$((($$(nproc) * 3 + 1) / 2)))
# Each of them takes whole modules, in the order of tests/conftest.py.
PYTEST = -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder
# What needs no namespace and takes a minute or two.
QUICK := tests/unit/cli tests/contract tests/golden

# Without byte code every start compiles the sources again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help run test test-min lint gen gen-check dist deb bench clean
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 11

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -q -e . --group dev
	@touch $@

run: $(STAMP) ## Show the health of this machine's socket layer (ARGS="states --json" for another command)
	@$(BIN)/sockdiag $(ARGS)

test: $(STAMP) ## Run all tests (as root also those in network namespaces), in several processes (JOBS=1)
	tests/apart $(BIN)/python $(PYTEST) $(ARGS)

# The oldest hatchling builds it, the oldest libraries run it; both as pyproject.toml says.
test-min: ## Run the quick tests with the lowest versions that pyproject.toml admits
	$(PYTHON) -m venv --clear $(MIN)
	$(MIN)/bin/python -m pip install -q --upgrade 'pip>=25.1'
	$(MIN)/bin/python tests/packaging/lower_bounds.py > $(MIN)/lowest.txt
	$(MIN)/bin/python -m pip install -q -c $(MIN)/lowest.txt --group test
	$(MIN)/bin/python -m pip install -q -c $(MIN)/lowest.txt --no-build-isolation .
	tests/apart $(MIN)/bin/python $(PYTEST) $(or $(ARGS),$(QUICK))

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gen: $(STAMP) ## Write man pages and completions anew from the declarations
	$(BIN)/python -m sockdiag.devtools.gen

gen-check: $(STAMP) ## Say which man pages and completions are not what the declarations give
	$(BIN)/python -m sockdiag.devtools.gen --check

dist: $(STAMP) ## Build the wheel and the source distribution into dist/
	$(BIN)/hatchling build

deb: $(STAMP) ## Build the Debian package into dist/ (needs dpkg-dev, debhelper, dh-python)
	$(BIN)/python packaging/deb.py

bench: $(STAMP) ## Compare with ss on N loopback connections in a namespace (N=100000)
	$(BIN)/python tests/bench/run.py $(N) $(ARGS)

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(MIN) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
