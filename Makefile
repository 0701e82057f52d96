# Everything that is done to this project is a target here. `make` alone lists them.
# Needs: Python 3.11 or newer, make, and a package index to reach once. Works with GNU make 3.81 (macOS) and up.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
# The interpreters that `make test-pythons` tries; those not on the machine are named and passed over.
PYTHONS ?= 3.11 3.12 3.13
SEEDS ?= 10000
SEED ?= 1
PYTEST ?= $(BIN)/python -m pytest

# A virtual environment knows its own path. In a copied or moved tree it is made anew.
ifneq ($(shell cat $(VENV)/.installed 2>/dev/null),$(CURDIR)/$(VENV))
.PHONY: $(VENV)/.installed
endif

.PHONY: help
help: ## List what can be made
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: setup
setup: $(VENV)/.installed ## Make .venv with Forebay and its tools (the others call it; a second call does nothing)
	@$(if $(filter setup,$(MAKECMDGOALS)),echo "setup: $(VENV) is ready",:)

$(VENV)/.installed: pyproject.toml constraints.txt scripts/venv
	@scripts/venv $(VENV) $(PYTHON)

.PHONY: setup-browser
setup-browser: ## A browser for the tests of the page (Debian's Chromium; installed with apt-get when root)
	@scripts/setup-browser

.PHONY: setup-checkov
setup-checkov: setup ## checkov in an environment of its own, for the tests of the templates
	@scripts/setup-checkov

.PHONY: setup-images
setup-images: ## What the tests of the container image need: buildah and others of Debian, and a base (with apt-get, as root)
	@scripts/setup-images

.PHONY: run
run: setup ## See it work: SQS, ECS, autoscaling and a worker on this machine, with a page
	@$(BIN)/forebay local

.PHONY: test
test: check ## All checks and all tests; about 20 minutes on two cores
	$(BIN)/python -m tests.suite

.PHONY: check
check: setup ## Format, lint, types (mypy and pyright, both strict) and layers; no test is run
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy
	@if command -v node >/dev/null 2>&1; then \
	    echo "$(BIN)/pyright"; $(BIN)/pyright; \
	else \
	    echo "SKIPPED: pyright needs node, which is not on this machine. CI runs it."; \
	fi
	$(BIN)/lint-imports --no-logo

.PHONY: quick
quick: setup ## The edit loop, at most 30 s: lint, mypy, fast tests
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(PYTEST) -q -x -n auto -m "not slow and not processes"

.PHONY: test-pythons
test-pythons: setup ## The fast tests on every Python of $(PYTHONS) found on this machine
	@scripts/test-pythons $(PYTHONS)

.PHONY: soak
soak: setup ## The simulator with 10,000 seeds (SEEDS=n for another number)
	$(BIN)/python -m forebay.testing.world --seeds $(SEEDS)

.PHONY: chaos
chaos: setup ## 20,000 jobs on the local cloud while everything goes wrong (SEED=n for another course of events)
	$(BIN)/python -m tests.chaos.run --jobs 20000 --tasks 8 --seed $(SEED)

.PHONY: mutants
mutants: setup ## Plant known bugs one at a time; a test must catch each
	$(BIN)/python -m tests.mutants.run

.PHONY: bench
bench: setup ## Measure Forebay beside a bare loop and boto3, and write the tables
	$(BIN)/python -m benchmarks.run

.PHONY: bench-peers
bench-peers: setup ## The same beside Celery, Dramatiq, taskiq, fanferro, sqs-consumer and others
	$(BIN)/python -m benchmarks.peers

.PHONY: format
format: setup ## Let ruff format the tree and mend what it can
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format .

.PHONY: clean
clean: ## Remove caches, reports and builds
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .benchmarks build dist test-output
	@find src tests benchmarks examples -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean ## Remove the virtual environments too
	@rm -rf $(VENV) .venv-* benchmarks/.venvs
