# `make demo` and `make test` do all their own set-up: they need Python 3.10 or newer and make, nothing else.
# Everything is installed into .venv/ in this folder, whatever environment is active.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
# Says nothing unless it fails.
define install
	@echo 'Installing queuectl into $(VENV)/ ...'
	@$(BIN)/python -m pip install --disable-pip-version-check --editable $(1) >$(VENV)/pip.log 2>&1 || { \
	  cat $(VENV)/pip.log >&2; exit 1; }
endef

# Between 2 and 4 test processes, by the number of processors.
TEST_PROCESSES = $(shell $(BIN)/python -c 'import os; print(max(2, min(4, os.cpu_count() or 2)))')

export PATH := $(CURDIR)/$(BIN):$(PATH)
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.PHONY: help demo test fuzz bench bench-peers chaos explore damage lint docs docs-update clean

help:
	@echo 'make demo    run 600 real jobs, kill the workers twice midway, check every result (under a minute)'
	@echo 'make test    run all tests;  make test ARGS="-k dlq -x" passes options to pytest'
	@echo 'make fuzz    try thousands of hostile command lines, files, URLs and records (a quarter of an hour)'
	@echo 'make bench   measure speed (ten minutes);  ARGS=--quick for a short trial, --full for a million jobs,'
	@echo '             --plots for the plots of the documentation, --smoke to find only what is absurdly slow'
	@echo 'make bench-peers   run the same jobs through other queues, from public packages'
	@echo 'make chaos   kill, freeze and starve everything while jobs run, check every job (an hour)'
	@echo '             make chaos ARGS=--network: with a replica and a bad line; ARGS="--minutes 60": does anything grow?'
	@echo 'make explore   walk every interleaving of the scripts in a small scope, check the laws after each step (minutes)'
	@echo '             make explore ARGS="--disturbances 3": a larger scope; ARGS=--defects: are deliberate defects found?'
	@echo 'make damage   damage the server data in a thousand ways, start it, follow its advice (minutes)'
	@echo 'make lint    check style and types'
	@echo 'make docs    build the documentation as a site into build/site; a dead link fails'
	@echo 'make docs-update   run all commands of the documentation, write what they print into it; new picture'
	@echo 'make clean   remove what these commands made, .venv/ included'
	@echo
	@echo 'The first of them installs what it needs into .venv/. Another Python: make demo PYTHON=python3.12'

demo: $(VENV)/ready
	@$(BIN)/python -m demo.run $(ARGS)

test: $(VENV)/ready-test
	@$(BIN)/python -m pytest -n $(TEST_PROCESSES) $(ARGS)

fuzz: $(VENV)/ready-test
	@HYPOTHESIS_PROFILE=long $(BIN)/python -m pytest -n $(TEST_PROCESSES) tests/fuzz $(ARGS)

bench: $(VENV)/ready
	@$(BIN)/python -m benchmarks $(ARGS)

bench-peers: $(VENV)/ready
	@$(BIN)/python -m benchmarks.peers $(ARGS)

chaos: $(VENV)/ready
	@PYTHONPATH='$(CURDIR)/tests' $(BIN)/python -m chaos $(ARGS)

explore: $(VENV)/ready-test
	@PYTHONPATH='$(CURDIR)/tests' $(BIN)/python -m explore $(ARGS)

damage: $(VENV)/ready-test
	@PYTHONPATH='$(CURDIR)/tests' $(BIN)/python -m damage $(ARGS)

lint: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	@if command -v shellcheck >/dev/null; then set -x; shellcheck .ci/run; fi

# The environment variable: no advertisement for another program among the messages.
docs: $(VENV)/ready-docs
	@$(BIN)/python docs/generate_cli.py --check
	@$(BIN)/python docs/generate_tables.py --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'The documentation is in build/site/index.html'

docs-update: $(VENV)/ready-docs
	$(BIN)/python docs/generate_cli.py
	$(BIN)/python docs/generate_tables.py
	$(BIN)/python -m tests.docs.update $(ARGS)
	$(BIN)/python -m docs.picture

clean:
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is younger than pyproject.toml once what it stands for is installed.

$(VENV)/ready: pyproject.toml | $(BIN)/pip
	$(call install,.)
	@touch $@

$(VENV)/ready-test: pyproject.toml | $(BIN)/pip
	$(call install,'.[test]')
	@touch $@ $(VENV)/ready

$(VENV)/ready-dev: pyproject.toml | $(BIN)/pip
	$(call install,'.[dev]')
	@touch $@ $(VENV)/ready $(VENV)/ready-test

$(VENV)/ready-docs: pyproject.toml | $(BIN)/pip
	$(call install,'.[docs]')
	@touch $@ $(VENV)/ready

# pip comes last into a new environment: one without it was interrupted, and is made again.
$(BIN)/pip:
	@command -v '$(PYTHON)' >/dev/null || { \
	  echo 'There is no $(PYTHON) here. queuectl needs Python 3.10 or newer; install it, or name one:' >&2; \
	  echo '    make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo "queuectl needs Python 3.10 or newer; $(PYTHON) is $$('$(PYTHON)' -V 2>&1). Name another one:" >&2; \
	  echo '    make $(MAKECMDGOALS) PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo '$(PYTHON) can make no virtual environment: its venv module is missing. Install it, then try again.' >&2; \
	  echo '    Debian, Ubuntu: sudo apt install python3-venv' >&2; exit 1; }
	@rm -rf $(VENV)
	@'$(PYTHON)' -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
