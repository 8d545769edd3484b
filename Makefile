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
# What coverage is measured with, less what it disturbs: what it imports itself, and children that write data before they
# end while a test counts the milliseconds.
COVERED := tests/unit tests/golden tests/property tests/contract/test_man_pages.py
UNMEASURED := tests/unit/model/test_fields.py::test_tcp_info_is_not_imported_before_it_is_named
UNMEASURED += tests/unit/sources/netlink/test_tcp_info_guard.py
UNMEASURED += tests/unit/sources/system/test_forked_answers.py::test_plain_data_imports_nothing
# The interpreter ends in another way where something measures it.
UNMEASURED += tests/unit/cli/test_signals.py::test_the_interpreter_is_taken_apart_for_profilers_alone

# Without byte code every start compiles the sources again.
export PYTHONDONTWRITEBYTECODE =

.PHONY: help run test campaign soak fuzz faults kills record-kills test-kernels test-min test-pythons coverage lint style types gen gen-check dist deb bench clean
.DEFAULT_GOAL := help

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install -q -e . --group dev
	@touch $@

run: $(STAMP) ## Show the health of this machine's socket layer (ARGS="states --json" for another command)
	@$(BIN)/sockdiag $(ARGS)

# Status 1 is that tests failed, and not that the run was interrupted: then those alone, in one process.
AGAIN_ALONE = [ $$? = 1 ] && tests/apart $(BIN)/python -m pytest -n 0 --last-failed --last-failed-no-failures none $(ARGS)

test: $(STAMP) ## Run all tests (as root also those in network namespaces), in several processes (JOBS=1; AGAIN=1 repeats what fails alone)
	tests/apart $(BIN)/python $(PYTEST) $(ARGS) $(if $(AGAIN),|| { $(AGAIN_ALONE); })

# Half an hour on two CPUs; ARGS="--only unix --repeats 3" for a part, ARGS=--help for more.
campaign: $(STAMP) ## Judge every condition of tests/live/scenarios in every way, and compare with the truth
	tests/apart $(BIN)/python -m tests.live.scenarios.campaign $(ARGS)

soak: $(STAMP) ## Let metrics --listen run for an hour, and watch its memory and descriptors (ARGS="--seconds 600")
	tests/apart $(BIN)/python -m tests.hostile.soak $(ARGS)

# Coverage guides it where there is a wheel of atheris for this Python.
fuzz: $(STAMP) ## Fuzz every reader of what others choose (ARGS="--seconds 3600 --grow")
	-$(BIN)/python -m pip install -q atheris
	tests/apart $(BIN)/python -m tests.hostile.fuzz $(ARGS)

faults: $(STAMP) ## Let single system calls fail in every command, by strace (ARGS="--runs 300")
	tests/apart $(BIN)/python -m tests.hostile.faults $(ARGS)

kills: $(STAMP) ## Kill check and metrics at random moments (ARGS="--runs 200")
	tests/apart $(BIN)/python -m tests.hostile.kills $(ARGS)

record-kills: $(STAMP) ## Kill recorders at 300 random moments, and run them into a full disk (ARGS="--runs 20")
	tests/apart $(BIN)/python -m tests.hostile.record_kills $(ARGS)

# Each guest takes a minute more than its tests, which take ten to twenty times as long as here; ARGS=--help for more.
test-kernels: $(STAMP) ## Boot kernels of Debian under qemu, and run tests in them (KERNEL="6.1 7.x" for some)
	$(BIN)/python -m tests.kernels.run $(KERNEL:%=--kernel=%) $(ARGS)

# The oldest hatchling builds it, the oldest libraries run it; both as pyproject.toml says.
test-min: ## Run the quick tests with the lowest versions that pyproject.toml admits
	$(PYTHON) -m venv --clear $(MIN)
	$(MIN)/bin/python -m pip install -q --upgrade 'pip>=25.1'
	$(MIN)/bin/python tests/packaging/lower_bounds.py > $(MIN)/lowest.txt
	$(MIN)/bin/python -m pip install -q -c $(MIN)/lowest.txt --group test
	$(MIN)/bin/python -m pip install -q -c $(MIN)/lowest.txt --no-build-isolation .
	tests/apart $(MIN)/bin/python $(PYTEST) $(or $(ARGS),$(QUICK))

# Debian 12 has 3.11, Debian 13 3.13, and sid the newest.
test-pythons: ## Run tests that need no namespace with the Pythons of other Debian suites, as root (SUITES=trixie)
	set -e; for suite in $(or $(SUITES),trixie sid); do .ci/python-root $$suite $(ARGS); done

coverage: $(STAMP) ## Measure the lines and branches that tests without namespaces reach; fail below the floor
	rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m coverage run -m pytest -q -m 'not live' $(UNMEASURED:%=--deselect=%) $(COVERED)
	$(BIN)/python -m coverage combine -q
	$(BIN)/python -m coverage report

lint: style types ## Check style and types

style: $(STAMP) ## Check style, spelling and pyproject.toml
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	VALIDATE_PYPROJECT_NO_NETWORK=1 $(BIN)/validate-pyproject pyproject.toml

types: $(STAMP) ## Check types
	$(BIN)/mypy
	$(BIN)/lint-imports

gen: $(STAMP) ## Write the generated files anew from the declarations
	$(BIN)/python -m sockdiag.devtools.gen

gen-check: $(STAMP) ## List generated files that are not what the declarations give
	$(BIN)/python -m sockdiag.devtools.gen --check

dist: $(STAMP) ## Build the wheel and the source distribution into dist/
	$(BIN)/hatchling build

deb: $(STAMP) ## Build the Debian package into dist/ (needs dpkg-dev, debhelper, dh-python)
	$(BIN)/python packaging/deb.py

bench: $(STAMP) ## Compare with ss on N loopback sockets in a namespace (N=10000,200000 SS=/path/of/ss)
	$(BIN)/python tests/bench/run.py $(N) $(ARGS)

clean: ## Remove what the other targets made
	rm -rf $(VENV) $(MIN) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
