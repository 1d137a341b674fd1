# make env    the environment, from requirements.lock and requirements-dev.lock
# make demo   simulated cohort -> whole workflow -> report
# make test   all tests        make lint   all linters
# make test-quick   the unit tests without the slow ones: about a minute
.DEFAULT_GOAL := help
SHELL := /bin/bash
BIN := .venv/bin
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& echo $$p && break; done)
CORES ?= 2
# one thread per job: several would only wait for each other, and change the last digits
export OMP_NUM_THREADS = 1
export OPENBLAS_NUM_THREADS = 1
export ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS = 1

.PHONY: help env demo paper test coverage test-quick test-container compare-container lint lock container clean

help:
	@sed -n 's/^# //p' $(MAKEFILE_LIST) | head -5

env: .venv/.done

.venv/.done: requirements.lock requirements-dev.lock pyproject.toml setup.py
	@test -n "$(PYTHON)" || { echo "make env: no Python 3.11 to 3.13 found; set PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: env
	test -f demo/bids/derivatives/truth/dataset_description.json || $(BIN)/glymflow simulate demo/bids --jobs $(CORES)
	$(BIN)/snakemake --cores $(CORES) --configfile config/demo.yaml --directory demo \
	  --logger glymflow
	@echo
	@echo "Report:  demo/results/report/index.html"
	@echo "Tables:  demo/results/tables/   Values: demo/results/cohort/alps.tsv"
	@echo "Truth:   demo/bids/derivatives/truth/alps.tsv"

# The three papers' statistics, tables and figures, from cohorts invented from their tables
paper: env
	$(BIN)/python benchmarks/paper_results.py --out paper --cores $(CORES)

test: env
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal $(PYTEST_OPTIONS)

# which lines of the package no test runs; a third slower than the tests alone
coverage: env
	$(BIN)/python -m pytest -n $(CORES) --dist worksteal --cov --cov-report=term-missing:skip-covered $(PYTEST_OPTIONS)

test-quick: env
	$(BIN)/python -m pytest tests/unit -m "not slow and not data" -n $(CORES) --dist worksteal $(PYTEST_OPTIONS)

lint: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint --configfile tests/workflow/lint.yaml
	$(BIN)/snakemake --lint --configfile tests/workflow/lint_table.yaml
	$(BIN)/lint-imports
	$(BIN)/mypy

# The image (root, buildah, mmdebstrap), and whether it gives the results of this machine
container:
	envs/container.sh container

test-container: env
	ARCHIVE=no envs/container.sh container
	@$(MAKE) --no-print-directory compare-container

IMAGE ?= container
compare-container: env
	$(BIN)/python benchmarks/container.py $(IMAGE)

# UPGRADE= keeps all versions that still fit
UPGRADE ?= --upgrade
UV_COMPILE = uv pip compile --universal --python-version 3.11 --generate-hashes --no-header $(UPGRADE)

# first what a run needs, then the rest of what development needs, at the same versions
lock:
	$(UV_COMPILE) --group install pyproject.toml -o requirements.lock
	$(UV_COMPILE) --group dev -c requirements.lock -o requirements-dev.lock

clean:
	rm -rf demo results .snakemake
