# Two commands: `make run` shows this machine's socket layer, `make test` runs the tests. Both make .venv themselves.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ARGS ?=

# Without byte code every start compiles the sources again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help run test lint gen bench clean
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -q -e . --group dev
	@touch $@

run: $(STAMP) ## Show the health of this machine's socket layer (ARGS="states --json" for another command)
	@$(BIN)/sockdiag $(ARGS)

test: $(STAMP) ## Run all tests (as root also those in network namespaces)
	$(BIN)/python -m pytest $(ARGS)

lint: $(STAMP) ## Check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

gen: $(STAMP) ## Write man pages and completions anew from the declarations
	$(BIN)/python -m sockdiag.devtools.gen

bench: $(STAMP) ## Compare with ss on N loopback connections in a namespace (N=100000)
	$(BIN)/python tests/bench/run.py $(N) $(ARGS)

clean: ## Remove what the other targets made
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
