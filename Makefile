# Needs python3 (3.11 or newer) and make, no more. `make` alone says what there is.

PYTHON ?= python3
PORT ?= 8000
ROUNDS ?= 3
# Tests wait for servers some of the time.
PROCESSES ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)
RUNS ?= 3
SOAK_SECONDS ?= 300

VENV := .venv
BIN := $(VENV)/bin
RUNTIME := $(VENV)/.runtime
DEV := $(VENV)/.dev
# Tools whose needs differ from the service's live apart.
LINTERS := .venv-deployment
# What the service is measured beside is no need of the service's.
BENCH := .venv-bench
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
	--no-header --no-emit-index-url pyproject.toml $(LOCK_OPTIONS)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve bench bench-quick check check-deployment format test explore deployment rolling faults soak browser lambda lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))
	@echo "  PORT=$(PORT) is where demo and serve listen"

demo: $(RUNTIME) ## make sample datasets and serve them
	$(BIN)/python -m application demo --port $(PORT)

serve: $(RUNTIME) ## serve the datasets of DATASET_BUCKET
	$(BIN)/python -m application serve --port $(PORT)

check: $(DEV) ## lint, formatting, types, and which room may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

check-deployment: $(LINTERS)/.made ## lint image, scripts, workflows, manifests and Terraform
	scripts/check-deployment.sh $(LINTERS)/bin

format: $(DEV) ## rewrite what ruff can set right
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Each process compiles all tests, and many start the service: what was compiled is kept, whatever is set.
test: export PYTHONDONTWRITEBYTECODE =
test: $(DEV) ## all tests, a process more than there are cores, or PROCESSES=4; ARGS="-k csv" for some
	$(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

explore: $(DEV) ## the tests of properties with new random examples, where `make test` has the same ones each time
	EXAMPLES=random $(BIN)/python -m pytest --numprocesses auto -m hypothesis $(ARGS)

deployment: $(DEV) ## build the image and start what is in it; plan the modules with Terraform
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile -m deployment tests/deployment $(ARGS)

rolling: $(DEV) ## two instances behind nginx and HAProxy, restarted one by one under load; ROUNDS=10 for more
	ROLLING_ROUNDS=$(ROUNDS) $(BIN)/python -m pytest --capture=no -m rolling tests/server/test_balancers.py tests/server/rolling.py $(ARGS)

faults: $(DEV) ## break storage, files, clients, encoders and processes on purpose; prints a line for each case
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m faults tests/faults $(ARGS)

soak: $(DEV) ## five minutes of random faults, then it must be where it began; SOAK_SECONDS=60 for less
	SOAK_SECONDS=$(SOAK_SECONDS) $(BIN)/python -m pytest -m soak tests/faults $(ARGS)

browser: $(DEV) ## the pages in Chromium: journeys, accessibility, what they give to paste
	$(BIN)/python -m pytest -m browser tests/browser $(ARGS)

lambda: $(DEV) ## the service behind the real Lambda Web Adapter, which cargo builds once
	LAMBDA_ADAPTER=$$(scripts/lambda-adapter.sh) && export LAMBDA_ADAPTER && \
		$(BIN)/python -m pytest -m adapter tests/lambda_runtime $(ARGS)

bench: $(DEV) $(BENCH)/.made ## measure the server beside its peers, and write docs/performance.md; RUNS=5 for more rounds
	$(BIN)/python benchmarks/run.py --runs $(RUNS) --write

bench-quick: $(DEV) $(BENCH)/.made ## one round of what changes most, printed only; under two minutes on a quiet machine
	$(BIN)/python benchmarks/run.py --quick

lock: $(DEV) ## pin the newest versions that pyproject.toml allows; LOCK_OPTIONS=--upgrade for all of them
	$(LOCK) --output-file requirements.txt
	$(LOCK) --output-file requirements-dev.txt --extra dev --extra otel --constraint requirements.txt
	$(subst pyproject.toml,requirements-deployment.in,$(LOCK)) --output-file requirements-deployment.txt
	$(subst pyproject.toml,requirements-bench.in,$(LOCK)) --output-file requirements-bench.txt \
		--constraint requirements.txt

clean: ## remove the environment, the sample datasets, caches and builds
	rm -rf $(VENV) $(LINTERS) $(BENCH) .demo dist build .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# The stamps are newer than the locks they were made from, so setting up happens once per lock.
$(RUNTIME): requirements.txt | $(BIN)/python
	$(PIP) --requirement requirements.txt
	@touch $@

# The development lock holds every version of the other one.
$(DEV): requirements-dev.txt requirements.txt | $(BIN)/python
	$(PIP) --requirement requirements-dev.txt
	@touch $(RUNTIME) $@

$(LINTERS)/.made: requirements-deployment.txt
	$(PYTHON) -m venv --clear $(LINTERS)
	$(LINTERS)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --requirement $<
	@touch $@

$(BENCH)/.made: requirements-bench.txt
	$(PYTHON) -m venv --clear $(BENCH)
	$(BENCH)/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --requirement $<
	@touch $@
